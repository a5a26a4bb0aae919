package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/dtls/v3"

	"github.com/tutti-audio/tutti/internal/selfsigned"
)

// TestCertificate: one certificate serves HTTPS, WebSocket, lines over TCP and DTLS
// on the UDP port, while media in the clear still goes.
func TestCertificate(t *testing.T) {
	c := local()
	self, err := selfsigned.New(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS.Certificate, c.TLS.Key, err = self.Write(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	r := start(t, c)
	defer r.Close()
	of := &tls.Config{RootCAs: self.Trust}
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
	sealed, err := dtls.DialWithOptions("udp", net.UDPAddrFromAddrPort(r.Hub().LocalAddr()), dtls.WithRootCAs(self.Trust), dtls.WithServerName("relay.test"),
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
