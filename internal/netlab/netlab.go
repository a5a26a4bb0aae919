// Package netlab builds real networks on one machine, without root: hosts that
// are network namespaces, switches that are Linux bridges, links that are veth
// pairs, and impaired links whose every frame passes through this process.
//
// A program enters a laboratory by calling Reexec (or, in a TestMain, Main) as
// its first act: the program is started again in a user, network and mount
// namespace of its own, in which it may make interfaces and mount file systems.
// Where the system forbids that, Available says why in one sentence.
//
// Units: durations are time.Duration, probabilities are 0 to 1, rates are bits
// per second. Concurrency: a Lab and what belongs to it may be used from several
// goroutines; Lab.Close ends every process, thread and relay it started, and
// waits for them. A process that is started by a lab dies with the lab's process
// even when that is killed; what that process starts itself dies only when the
// lab is closed in order, and in its process group.
//
// It serves section 6 of the brief (ground to test on) and carries no protocol.
package netlab

import "errors"

// TB is what ForTest needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
	Cleanup(func())
}

// ForTest returns a laboratory that is closed when the test ends. The test is
// skipped, with the reason, where laboratories are not possible.
func ForTest(t TB) *Lab {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err.Error())
	}
	lab, err := New()
	if err != nil {
		t.Fatal("netlab: " + err.Error())
	}
	t.Cleanup(func() { _ = lab.Close() })
	return lab
}

// Main runs a package's tests inside a laboratory, or as they are where that is
// not possible (ForTest then skips them). Its result goes to os.Exit:
//
//	func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }
func Main(m interface{ Run() int }) int {
	if err := Reexec(); err != nil && Available() == nil {
		panic(errors.Join(errors.New("netlab: Reexec and Available disagree"), err))
	}
	return m.Run()
}
