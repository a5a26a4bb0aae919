package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/tutti-audio/tutti/image/rootfs"
)

// All authorities of Debian's package are in the file that programs read, and an image
// without any is not made.
func TestCertificates(t *testing.T) {
	tree := rootfs.New()
	if err := certificates(tree); err == nil {
		t.Error("an image without an authority is made")
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"One.crt", "Two.crt"} {
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1))}
		der, err := x509.CreateCertificate(nil, c, c, public, private)
		if err != nil {
			t.Fatal(err)
		}
		tree.Put("usr/share/ca-certificates/mozilla/"+name, 0o644, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	if err := certificates(tree); err != nil {
		t.Fatal(err)
	}
	all, err := tree.Read("etc/ssl/certs/ca-certificates.crt")
	n := 0
	for block, rest := pem.Decode(all); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	if err != nil || n != 2 {
		t.Errorf("%d authorities, %v", n, err)
	}
}
