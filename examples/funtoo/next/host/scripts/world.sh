#!/bin/bash
set -euo pipefail
emerge --update --deep --newuse --quiet-build @world
emerge --depclean
rm -rf /var/tmp/portage/*
