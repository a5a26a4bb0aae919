// Command tutti-os looks after the system that a speaker's image is: what a person
// wrote on the card, updates and their trial, and the set-up hotspot. The speaker's
// own service has no rights for any of that; this runs as root, and never listens
// to the network but in the hotspot.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: tutti-os COMMAND
  update FILE|URL [--stay]   write an update into the idle slot and start it on trial
  status                     which system runs, and whether it is on trial
  setup                      take over what stands on the boot partition (at every start)
  health                     watch a system on trial (at every start)
  hotspot                    Wi-Fi of our own while there is no other network
`

var errUsage = errors.New("the command is not understood")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, os.Args[1:])
	if errors.Is(err, errUsage) {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tutti-os:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch command, rest := args[0], args[1:]; command {
	case "update":
		return install(ctx, rest)
	case "status":
		return status()
	case "health":
		return health(ctx)
	case "setup":
		return takeOver()
	case "hotspot":
		return runHotspot(ctx)
	}
	return errUsage
}
