// Package overlays is device tree overlays for DAC boards on the Raspberry Pi's I2S
// pins, for mainline kernels: Debian's own overlay leaves the I2S unit switched off,
// and mainline trees know no dtparam=i2s. Each is chosen by one name.
package overlays

import "embed"

// Files holds the sources.
//
//go:embed *.dtso
var Files embed.FS
