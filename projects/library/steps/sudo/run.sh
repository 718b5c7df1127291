# joined LIST: prints its lines as one list of sudoers.
joined() { printf '%s\n' "$1" | sed 's/$/, /' | tr -d '\n' | sed 's/, $//'; }

file=/etc/sudoers.d/$WITH_NAME
if [ "$WITH_STATE" = absent ]; then
    remove_if_there "$file"
    exit 0
fi
commands=$(joined "$WITH_COMMANDS")
tag=
if [ "$WITH_NOPASSWD" = true ]; then tag='NOPASSWD: '; fi
: >"$SCRATCH.sudo"
for user in $WITH_USERS; do
    account_name sudo "$user"
    printf '%s ALL=(%s) %s%s\n' "$user" "$WITH_RUNAS" "$tag" "$commands" >>"$SCRATCH.sudo"
done
for group in $WITH_GROUPS; do
    account_name sudo "${group#%}"
    printf '%%%s ALL=(%s) %s%s\n' "${group#%}" "$WITH_RUNAS" "$tag" "$commands" >>"$SCRATCH.sudo"
done
[ -z "$WITH_RULES" ] || printf '%s\n' "${WITH_RULES%"$NL"}" >>"$SCRATCH.sudo"
[ -s "$SCRATCH.sudo" ] || die "sudo: give users, groups or rules"
chmod 0440 "$SCRATCH.sudo"

if has visudo; then
    problems=$(visudo -c -f "$SCRATCH.sudo" 2>&1) || die "sudo: visudo refuses the rules: $problems"
else
    log "sudo: the root has no visudo: the rules are not checked"
fi
if [ ! -d /etc/sudoers.d ]; then
    mkdir -p /etc/sudoers.d
    chmod 0750 /etc/sudoers.d
fi
if [ -f /etc/sudoers ] && ! grep -qE '^[#@]includedir[[:space:]]+"?/etc/sudoers\.d"?[[:space:]]*$' /etc/sudoers; then
    ensure_line /etc/sudoers "@includedir /etc/sudoers.d"
fi
write_if_changed "$file" 0440 <"$SCRATCH.sudo"
rm -f "$SCRATCH.sudo"
