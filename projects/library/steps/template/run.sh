case $WITH_TO in
*/) die "template: to is a file, not a directory: $WITH_TO" ;;
esac
owner_ids template "$WITH_OWNER" "$WITH_GROUP"
printf '%s\n' "${WITH_TEXT%"$NL"}" >"$SCRATCH.template"
make_directory "${WITH_TO%/*}" 0 0 0755
put_file "$SCRATCH.template" "$WITH_TO" "$owner_uid" "$owner_gid" "$WITH_MODE"
rm -f "$SCRATCH.template"
