if [ -n "$WITH_TEXT" ]; then printf '%s\n' "${WITH_TEXT%"$NL"}" >"$SCRATCH.motd"; else : >"$SCRATCH.motd"; fi
write_if_changed /etc/motd <"$SCRATCH.motd"
if [ -n "$WITH_ISSUE" ]; then
    printf '%s\n' "${WITH_ISSUE%"$NL"}" >"$SCRATCH.motd"
    write_if_changed /etc/issue <"$SCRATCH.motd"
fi
rm -f "$SCRATCH.motd"
