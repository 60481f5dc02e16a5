//! Comparison with files in `golden/`. `HOSTLENS_UPDATE_GOLDEN=1` writes them anew: look at the
//! difference before committing it.

use std::path::Path;

/// Holds `actual` against the golden file `name`.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/top/tests/golden")
        .join(name);
    if std::env::var_os("HOSTLENS_UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs\n--- expected\n{expected}--- actual\n{actual}",
        path.display()
    );
}
