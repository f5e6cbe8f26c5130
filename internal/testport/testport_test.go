package testport

import (
	"fmt"
	"net"
	"testing"
)

// TestClaim holds a port against claims and listeners, and gives it back.
func TestClaim(t *testing.T) {
	p, err := Claim()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(p.Number); err == nil {
		t.Fatal("claimed twice")
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.Number))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := claim(p.Number); err == nil {
		t.Fatal("claimed under a listener")
	}
	l.Close()
	again, err := claim(p.Number)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}
