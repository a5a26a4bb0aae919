package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Fan sends many datagrams at a time from a Port's socket. It belongs to one
// goroutine, allocates nothing, and is used up when its Port is closed.
type Fan struct {
	fd      int
	out     [sendBatch]mmsghdr
	vectors [sendBatch]unix.Iovec
}

// Fan returns a Fan of this socket.
func (p *Port) Fan() *Fan {
	f := &Fan{fd: p.fd}
	for i := range f.out {
		f.out[i].header.SetIovlen(1)
	}
	return f
}

// SendAll sends one datagram to all names but two, which may be nil, and returns
// how many the kernel took. What it has no room for after a moment is dropped. The names
// lie in a row: the kernel reads each of them.
func (f *Fan) SendAll(b []byte, to []Name, but, nor *Name) (sent int) {
	if len(b) == 0 {
		return 0
	}
	f.vectors[0].Base = &b[0]
	f.vectors[0].SetLen(len(b))
	n := 0
	for i := range to {
		name := &to[i]
		if name.Is(but) || name.Is(nor) {
			continue
		}
		h := &f.out[n].header
		h.Iov, h.Name, h.Namelen = &f.vectors[0], (*byte)(unsafe.Pointer(&name.raw)), name.size
		if n++; n == sendBatch {
			sent += f.flush(n)
			n = 0
		}
	}
	return sent + f.flush(n)
}

// SendEach sends packets[i] to to[i] and returns how many the kernel took.
func (f *Fan) SendEach(packets [][]byte, to []*Name) (sent int) {
	n := 0
	for i, b := range packets {
		if len(b) == 0 {
			continue
		}
		h := &f.out[n].header
		f.vectors[n].Base = &b[0]
		f.vectors[n].SetLen(len(b))
		h.Iov, h.Name, h.Namelen = &f.vectors[n], (*byte)(unsafe.Pointer(&to[i].raw)), to[i].size
		if n++; n == sendBatch {
			sent += f.flush(n)
			n = 0
		}
	}
	return sent + f.flush(n)
}

// flush sends the first n of out. One that the kernel refuses is passed over: its
// destination cannot be reached. Nobody else waits for it.
func (f *Fan) flush(n int) (sent int) {
	waited := false
	for at := 0; at < n; {
		k, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&f.out[at])), uintptr(n-at), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			sent, at = sent+int(k), at+int(k)
		case errno == unix.EINTR:
		case errno == unix.EAGAIN && !waited:
			waited = true
			f.waitForRoom()
		case errno == unix.EAGAIN:
			return sent
		default:
			at++
		}
	}
	return sent
}

// waitForRoom waits a moment for the device to take what is queued.
func (f *Fan) waitForRoom() {
	poll := [1]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLOUT}}
	_, _ = unix.Poll(poll[:], roomWithin)
}
