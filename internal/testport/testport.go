// Package testport gives out TCP ports of 127.0.0.1 to the servers that tests,
// the demo and benchmarks start.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports given out lie below those that systems choose for connections: one
// stays free while its server is down, and nobody who dials it then meets a
// connection's end, perhaps its own.
const first, count = 12000, 18000

// A Port is held for one server until Release, whether that listens or not:
// no other holder gets its number, in this process or in another.
type Port struct {
	Number int
	claim  net.PacketConn // UDP port of this number, which nothing else here uses
}

// Claim finds a port that nobody holds and nothing listens on.
func Claim() (*Port, error) {
	var err error
	for range 100 {
		var p *Port
		if p, err = claim(first + rand.IntN(count)); err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no free port: %w", err)
}

func claim(number int) (*Port, error) {
	addr := fmt.Sprintf("127.0.0.1:%d", number)
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		c.Close()
		return nil, err
	}
	return &Port{Number: number, claim: c}, l.Close()
}

// Release gives the port back; p may be nil.
func (p *Port) Release() error {
	if p == nil {
		return nil
	}
	return p.claim.Close()
}
