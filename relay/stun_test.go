package relay

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// mapped asks a STUN server, and returns the address that it says, or nothing.
func mapped(t *testing.T, server string) string {
	t.Helper()
	conn, err := net.Dial("udp4", server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	question := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	b := make([]byte, 1500)
	for range 3 {
		_, _ = conn.Write(question.Raw)
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := conn.Read(b)
		if err != nil {
			continue
		}
		answer := &stun.Message{Raw: b[:n]}
		var seen stun.XORMappedAddress
		if err := answer.Decode(); err != nil || answer.TransactionID != question.TransactionID || seen.GetFrom(answer) != nil {
			t.Fatalf("%s answers %v (%v)", server, answer, err)
		}
		if seen.String() != conn.LocalAddr().String() {
			t.Errorf("%s says %v to %v", server, seen, conn.LocalAddr())
		}
		return seen.String()
	}
	return ""
}

// Two ports tell a member's address, as the bootstrap says, without any configuration;
// to networks without a member they say nothing: their answers are longer than the
// questions.
func TestSTUN(t *testing.T) {
	r := start(t, local())
	defer r.Close()
	at := r.Hub().LocalAddr().String()
	if mapped(t, at) != "" {
		t.Error("a stranger is answered")
	}
	m := join(t, r, "JOIN:a:::listener")
	servers := bootstrap(t, r.HTTPAddr().String(), session(m))
	if len(servers) != 2 || servers[0] != at {
		t.Fatalf("the bootstrap names %q, want one besides %s", servers, at)
	}
	for _, s := range servers {
		if mapped(t, s) == "" {
			t.Errorf("a member is not answered by %s", s)
		}
	}
}

// A member by one family is answered by the other, too, once it has shown its session by
// that.
func TestSTUNByOtherFamily(t *testing.T) {
	c := local()
	c.Listen, c.HTTP = ":0", ":0"
	r := start(t, c)
	defer r.Close()
	port := r.Hub().LocalAddr().Port()
	conn, err := net.DialUDP("udp6", nil, &net.UDPAddr{IP: net.IPv6loopback, Port: int(port)})
	if err != nil {
		t.Skip(err)
	}
	defer conn.Close()
	m := &member{conn, t}
	m.join("JOIN:a:::listener")
	by4 := fmt.Sprintf("127.0.0.1:%d", port)
	if mapped(t, by4) != "" {
		t.Error("an address is answered that is none of a member's")
	}
	bootstrap(t, fmt.Sprintf("127.0.0.1:%d", r.HTTPAddr().(*net.TCPAddr).Port), session(m))
	if mapped(t, by4) == "" {
		t.Error("a member is not answered by the other family")
	}
}

// bootstrap asks for it with a session, and returns the STUN servers that it names.
func bootstrap(t *testing.T, relay, session string) (servers []string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+relay+"/api/channel/a/bootstrap", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+session)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct {
		Servers []struct{ URLs []string } `json:"ice_servers"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	for _, s := range said.Servers {
		if host, ok := strings.CutPrefix(s.URLs[0], "stun:"); ok {
			servers = append(servers, host)
		}
	}
	return servers
}

// session joins again, which is answered again, with the session.
func session(m *member) string {
	m.t.Helper()
	_, _ = m.Write([]byte("JOIN:a:::listener" + strings.Repeat(" ", 8)))
	return strings.TrimSpace(strings.TrimPrefix(m.until("SESSION:"), "SESSION:"))
}
