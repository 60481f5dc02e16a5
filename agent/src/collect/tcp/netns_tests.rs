#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn our_own_namespace_needs_no_entering() {
    let own = Namespace::own().unwrap();
    let here = thread::current().id();
    let (there, inode) = within(&own, || (thread::current().id(), own_inode())).unwrap();
    assert_eq!(here, there);
    assert_eq!(inode.unwrap(), own.inode);
}

#[test]
fn one_that_has_ended_is_gone() {
    for namespace in [
        Namespace::of_pid(1, u32::MAX),
        // The process lives, and in another namespace.
        Namespace::of_pid(1, std::process::id()),
        Namespace {
            inode: 1,
            own: false,
            pids: Vec::new(),
            mounted: Some("/nonexistent/netns".into()),
        },
    ] {
        let error = within(&namespace, || ()).unwrap_err();
        assert!(matches!(error, EnterError::Gone { inode: 1 }), "{error}");
    }
}

#[test]
fn a_panic_stays_in_its_thread() {
    // The thread begins at home, so no privilege is needed.
    let own = Namespace::own().unwrap();
    let results = within_each(&[&own, &own], || {
        assert!(own_inode().is_err(), "on purpose")
    });
    assert_eq!(results.len(), 2);
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, EnterError::Failed { .. }), "{error}");
    }
}

#[test]
fn without_privilege_it_says_which() {
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        eprintln!("skipped: root may enter");
        return;
    }
    let own = Namespace::own().unwrap();
    let as_foreign = Namespace {
        own: false,
        pids: vec![std::process::id()],
        ..own
    };
    let error = within(&as_foreign, || ()).unwrap_err();
    assert!(error.to_string().contains("CAP_SYS_ADMIN"), "{error}");
}

#[test]
fn entering_leaves_the_caller_where_it_was() {
    let Some(foreign) = super::super::foreign::ForeignNamespace::new() else {
        return;
    };
    let own = own_inode().unwrap();
    let namespace = foreign.namespace();
    assert_ne!(namespace.inode, own);
    let home = Namespace::own().unwrap();
    let seen = within_each(&[&home, &namespace, &home, &namespace], own_inode);
    let seen: Vec<u32> = seen
        .into_iter()
        .map(|inode| inode.unwrap().unwrap())
        .collect();
    assert_eq!(seen, [own, namespace.inode, own, namespace.inode]);
    assert_eq!(own_inode().unwrap(), own);
}

#[test]
fn a_namespace_of_another_process_is_found() {
    let Some(foreign) = super::super::foreign::ForeignNamespace::new() else {
        return;
    };
    let wanted = foreign.namespace();
    let found = Finder::default().find(&Hints::default()).unwrap();
    let namespace = found
        .namespaces
        .iter()
        .find(|namespace| namespace.inode == wanted.inode)
        .unwrap();
    assert!(!namespace.own);
    assert_eq!(namespace.pids, wanted.pids);
}
