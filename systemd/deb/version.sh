#!/bin/sh
# Prints the version of a package: 1.2.3 at the tag v1.2.3, 1.2.3+4.gabc four
# commits later, 0~DATE.COMMIT without a tag.
set -eu
if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
	echo "${tag#v}" | sed 's/-\([0-9]*\)-g/+\1.g/'
else
	git log -1 --date=format:%Y%m%d%H%M%S --format='0~%cd.%h'
fi
