# Before removing ($1 = 0) or upgrading ($1 = 1).
if [ "$1" -eq 0 ] && command -v systemctl >/dev/null; then
    systemctl --no-reload disable hostlens.service || :
    if [ -d /run/systemd/system ]; then
        systemctl stop hostlens.service || :
    fi
fi
