// Package system is the files that make Debian a speaker: units, network settings and device rules.
package system

import "embed"

// Files holds this folder.
//
//go:embed *.service *.network *.rules
var Files embed.FS
