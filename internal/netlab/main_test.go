package netlab

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("NETLAB_TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
	os.Exit(Main(m))
}
