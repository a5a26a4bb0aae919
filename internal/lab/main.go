// Command lab runs the demo and the benchmarks: real tutti processes, each on a
// host of its own in a network laboratory, judged by what their sound cards
// recorded. It is no part of the product's binary.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tutti-audio/tutti/internal/netlab"
)

func main() {
	if err := netlab.Reexec(); err != nil {
		fmt.Println("No network namespaces here, so everything runs on loopback:", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := dispatch(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "demo":
			return demo(ctx, args[1:])
		case "relay-demo":
			return relayDemo(ctx)
		case "bench":
			return bench(ctx, args[1:])
		}
	}
	return fmt.Errorf("usage: lab demo [AUDIO…] | lab relay-demo | lab bench [NAME…]")
}
