// Command build makes card images and updates for boards out of Debian's packages and
// the speaker's own, without root and without emulation:
//
//	go run ./image/build [-board pi64] [-package tutti.deb] [-out build/image]
//
// The same packages and the same source give the same bytes. See docs/IMAGE.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	board    board
	version  string    // dotted numbers; newer ones are greater
	at       time.Time // of everything in the image
	speaker  string    // Debian package of the speaker
	system   string    // the program tutti-os for the board
	init     string    // the program init for the board
	out, key string
	fresh    bool
	extra    string // for the kernel's command line
	xz       bool   // compress the image too
	url      string // where the image is going to be, for Imager
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = makeImage(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("image", flag.ContinueOnError)
	name := f.String("board", "pi64", "one of "+strings.Join(boardNames(), ", "))
	f.StringVar(&o.version, "version", "", "version of the image; default: the time of -at")
	at := f.Int64("at", 0, "time of all files, seconds since 1970")
	f.StringVar(&o.speaker, "package", "", "Debian package of the speaker for this board")
	f.StringVar(&o.system, "os", "", "the program tutti-os for this board")
	f.StringVar(&o.init, "init", "", "the program init for this board")
	f.StringVar(&o.out, "out", "build/image", "folder for what is made")
	f.StringVar(&o.key, "key", defaultKey(), "private key that signs updates; made when it is missing")
	f.BoolVar(&o.fresh, "fresh", false, "fetch Debian's packages anew")
	f.StringVar(&o.extra, "cmdline", "", "more for the kernel's command line")
	f.BoolVar(&o.xz, "compress", false, "write .img.xz too, which takes minutes")
	f.StringVar(&o.url, "url", "", "address of the image, or of its folder with / at the end, for Raspberry Pi Imager; default: its file name")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.at = time.Unix(*at, 0).UTC()
	if o.version == "" {
		o.version = o.at.Format("2006.0102.1504")
	}
	if o.board, err = findBoard(*name); err != nil {
		return o, err
	}
	for what, file := range map[string]string{"-package": o.speaker, "-os": o.system, "-init": o.init} {
		if _, err := os.Stat(file); err != nil {
			return o, fmt.Errorf("%s: %w: use make image", what, err)
		}
	}
	return o, nil
}

func defaultKey() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "."
	}
	return filepath.Join(dir, "tutti", "update.key")
}

// step runs one part of the work and shows how long it took.
func step(name string, work func() (detail string, err error)) error {
	began := time.Now()
	fmt.Printf("%-34s", name)
	detail, err := work()
	if err != nil {
		fmt.Println()
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("%6.1f s  %s\n", time.Since(began).Seconds(), detail)
	return nil
}
