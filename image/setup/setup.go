// Package setup reads what a person, or Raspberry Pi Imager, wrote on the boot
// partition of a card, and says what is to be written on the data partition.
//
// The file tutti.toml on the card is the agent's own configuration with one table
// more, [device], which is about the machine. Beside it the part of cloud-init's
// files that Imager writes is understood: the hostname of user-data and the Wi-Fi
// networks of network-config. The package is pure.
package setup

import _ "embed"

// Example is the tutti.toml of a new card.
//
//go:embed example.toml
var Example []byte
