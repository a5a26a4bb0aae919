package netlab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The environment carries what the outer process tells the inner one.
const (
	envOutside = "TUTTI_NETLAB_OUTSIDE" // the outer network namespace, as "net:[4026531840]"
	envReport  = "TUTTI_NETLAB_REPORT"  // set while the inner process owes a report on descriptor 3
	envRefused = "TUTTI_NETLAB_REFUSED" // why there is no laboratory
)

// readyReport is what the inner process writes on descriptor 3 when its
// namespaces work; anything else is the reason why they do not.
const readyReport = "ready"

// Available returns nil inside a laboratory, else one sentence that says why
// this process is not in one.
func Available() error {
	if inside() {
		return nil
	}
	if why := os.Getenv(envRefused); why != "" {
		return errors.New(why)
	}
	return errors.New("no network laboratory: this program did not call netlab.Reexec (or netlab.Main) at its start")
}

// Reexec moves the program into a laboratory. Call it before anything else.
//
// In the outer process it starts the program again inside new namespaces, passes
// signals on to it and exits with its code (128 plus the signal's number when a
// signal ended it), so it returns only when namespaces are refused: with the
// reason, which Available repeats. In the inner process it returns nil.
func Reexec() error {
	if inside() {
		return enter()
	}
	os.Unsetenv(envRefused)
	const flags = unix.CLONE_NEWNET | unix.CLONE_NEWNS
	var err error
	if os.Geteuid() == 0 {
		// Real root needs no user namespace, and would lose its right to real-time
		// scheduling in one.
		err = runInside(flags)
	}
	if os.Geteuid() != 0 || err != nil {
		err = runInside(flags | unix.CLONE_NEWUSER)
	}
	err = fmt.Errorf("no network laboratory: the system refuses unprivileged namespaces (%w); allow user namespaces or run as root", err)
	os.Setenv(envRefused, err.Error())
	return err
}

// inside tells whether this process was started by Reexec and is in another
// network namespace than the one Reexec was called in.
func inside() bool {
	outside := os.Getenv(envOutside)
	return outside != "" && outside != currentNet()
}

// currentNet names the network namespace of the calling thread.
func currentNet() string {
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return ""
	}
	return name
}

// enter is the inner process's first act: loopback up, mounts private, report.
func enter() error {
	if os.Getenv(envReport) == "" {
		return nil // a process of a laboratory that calls Reexec itself
	}
	os.Unsetenv(envReport)
	// Keeps the main goroutine on the main thread, so that no goroutine that
	// changes namespaces gets it: the main thread cannot be ended with them.
	runtime.LockOSThread()
	report := os.NewFile(3, "report")
	err := prepare()
	if err != nil {
		fmt.Fprint(report, err.Error())
		os.Exit(1)
	}
	fmt.Fprint(report, readyReport)
	return report.Close()
}

// prepare makes the fresh namespaces usable.
func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
	}
	return nil
}

// runInside runs this program in new namespaces and exits with its code. It
// returns only when the namespaces could not be made or do not work.
func runInside(flags uintptr) error {
	// The kernel ties Pdeathsig to the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd := innerCommand(flags, write)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	err = cmd.Start()
	write.Close()
	if err != nil {
		return err
	}
	report, _ := io.ReadAll(io.LimitReader(read, 4096))
	if string(report) != readyReport {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return errors.New(strings.TrimSpace("inside them: " + string(report)))
	}
	go passOn(signals, cmd.Process) // ends with this process, just below
	os.Exit(exitCode(cmd.Wait(), cmd))
	return nil
}

// passOn sends each signal on to a process.
func passOn(signals <-chan os.Signal, to *os.Process) {
	for s := range signals {
		_ = to.Signal(s)
	}
}

// innerCommand describes this program in the namespaces that flags name. The
// child has a process group of its own, so that an interrupt typed at a terminal
// reaches it once: through its parent.
func innerCommand(flags uintptr, report *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), envOutside+"="+currentNet(), envReport+"=3")
	cmd.ExtraFiles = []*os.File{report}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: unix.SIGKILL, Setpgid: true}
	if flags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// exitCode turns the inner process's end into the outer one's exit code.
func exitCode(err error, cmd *exec.Cmd) int {
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "netlab: cannot wait for the inner process:", err)
		return 1
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}
