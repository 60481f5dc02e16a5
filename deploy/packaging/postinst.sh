# After installing ($1 = 1) or upgrading ($1 = 2).
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
if [ "$1" -eq 1 ] && command -v systemctl >/dev/null; then
    # Enabled or not is the distribution's decision.
    systemctl --no-reload preset hostlens.service || :
elif [ -d /run/systemd/system ]; then
    systemctl try-restart hostlens.service || :
fi
