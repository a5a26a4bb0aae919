// Command vm is the init of a virtual machine that tries GPIO lines on a real
// kernel; see run.sh. It prints a line for each look, and at the end PASSED.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"github.com/tutti-audio/tutti/hw"
	"github.com/tutti-audio/tutti/hw/gpioline"
)

func main() {
	for _, name := range []string{"proc", "sys", "dev"} {
		kind := map[string]string{"proc": "proc", "sys": "sysfs", "dev": "devtmpfs"}[name]
		_ = os.MkdirAll("/"+name, 0o755)
		_ = unix.Mount(kind, "/"+name, kind, 0, "")
	}
	time.Sleep(time.Second) // the last lines of the kernel
	b := hw.Detect(os.DirFS("/"))
	fmt.Printf("VM board %q, %s, %s\n", b.Name, b.Family, b.SoC)
	failed := !line(os.Getenv("line"))
	if key := os.Getenv("key"); key != "" {
		failed = !edges(key) || failed
	}
	if !failed {
		fmt.Println("VM PASSED")
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// see prints a look and returns whether it was as it should be.
func see(what string, ok bool, err error) bool {
	fmt.Println("VM", what, map[bool]string{true: "ok", false: "FAILED"}[ok], err)
	return ok
}

func line(name string) bool {
	l, err := gpioline.Find(name)
	if !see("find "+name, err == nil, err) {
		return false
	}
	ok := true
	for _, level := range []gpio.Level{gpio.High, gpio.Low, gpio.High} {
		err := l.Out(level)
		ok = see("out "+level.String(), err == nil && l.Read() == level, err) && ok
	}
	other, _ := gpioline.Find(name)
	err = other.Out(gpio.Low)
	ok = see("a line in use is refused", err != nil && strings.Contains(err.Error(), "belongs to"), err) && ok
	_ = l.Close()
	ok = see("and free after Close", other.Out(gpio.Low) == nil && other.Read() == gpio.Low, nil) && ok
	ok = see("input", other.In(gpio.PullUp, gpio.BothEdges) == nil, nil) && ok
	began := time.Now()
	ok = see("no edge", !other.WaitForEdge(300*time.Millisecond) && time.Since(began) > 250*time.Millisecond, nil) && ok
	go func() { time.Sleep(200 * time.Millisecond); _ = other.Halt() }()
	ok = see("Halt ends a wait", !other.WaitForEdge(-1), nil) && ok
	go func() { time.Sleep(200 * time.Millisecond); _ = other.Close() }()
	return see("Close ends a wait", !other.WaitForEdge(-1), nil) && ok
}

// edges waits for a key to be pressed and let go.
func edges(name string) bool {
	l, err := gpioline.Find(name)
	if err == nil {
		err = l.In(gpio.PullNoChange, gpio.BothEdges)
	}
	if !see("key", err == nil, err) {
		return false
	}
	fmt.Println("VM press")
	down := l.WaitForEdge(time.Minute) && l.Read() == gpio.High
	up := l.WaitForEdge(time.Minute) && l.Read() == gpio.Low
	return see("pressed and let go", down && up, nil)
}
