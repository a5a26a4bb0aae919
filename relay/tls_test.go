package relay

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/dtls/v3"
)

// certificate writes one for 127.0.0.1.
func certificate(t *testing.T) (file, key string, trust *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"relay.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(file, text, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)); err != nil {
		t.Fatal(err)
	}
	trust = x509.NewCertPool()
	trust.AppendCertsFromPEM(text)
	return file, key, trust
}

// TestCertificate: one certificate serves HTTPS, WebSocket, lines over TCP and DTLS
// on the UDP port, while media in the clear still goes.
func TestCertificate(t *testing.T) {
	c := local()
	var trust *x509.CertPool
	c.TLS.Certificate, c.TLS.Key, trust = certificate(t)
	r := start(t, c)
	defer r.Close()
	of := &tls.Config{RootCAs: trust}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: of}}
	answer, err := client.Get("https://" + r.HTTPAddr().String() + "/api/channel/a/bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := bufio.NewReader(answer.Body).ReadString('\n')
	answer.Body.Close()
	if answer.TLS.Version != tls.VersionTLS13 || !strings.Contains(text, `"dtls":true`) || !strings.Contains(text, "wss://127.0.0.1:") {
		t.Errorf("TLS %x: %s", answer.TLS.Version, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	web, _, err := websocket.Dial(ctx, "wss://"+r.HTTPAddr().String()+"/ws/audio?channel=a", &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // the library closes it
	if err != nil {
		t.Fatal(err)
	}
	defer web.CloseNow() //nolint:errcheck // the test is over
	if _, b, err := web.Read(ctx); err != nil || !strings.Contains(string(b), "joined") {
		t.Errorf("%s, %v", b, err)
	}
	lines, err := tls.Dial("tcp", r.lines.Addr().String(), of)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	fmt.Fprint(lines, "JOIN:a\n")
	if got, err := bufio.NewReader(lines).ReadString('\n'); got != "OK:joined\n" {
		t.Errorf("%q, %v", got, err)
	}
	sealed, err := dtls.DialWithOptions("udp", net.UDPAddrFromAddrPort(r.Hub().LocalAddr()), dtls.WithRootCAs(trust), dtls.WithServerName("relay.test"),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	if err := sealed.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	join(t, r, "JOIN:a::in the clear:listener")
}
