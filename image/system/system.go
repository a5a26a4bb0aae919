// Package system is the files that make Debian a speaker: units and network settings.
package system

import "embed"

// Files holds this folder.
//
//go:embed *.service *.network
var Files embed.FS
