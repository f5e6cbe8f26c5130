// Package faultproxy is a TCP proxy for tests that does to connections what
// networks do: it cuts, resets, falls silent, slows down and refuses, at once
// or at a chosen byte of the conversation.
package faultproxy

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy forwards TCP connections to a target until it is told otherwise.
type Proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu struct {
		sync.Mutex
		conns    map[*Conn]struct{}
		rules    []*rule
		refuse   bool
		rate     int // bytes a second towards clients; 0: no bound
		accepted int
	}
}

// A Conn is one connection through the proxy.
type Conn struct {
	client, server *net.TCPConn
	held           chan struct{} // closed by Hold
	hold           sync.Once
	closed         chan struct{}
	close          sync.Once
}

// A Fault is what is done to a connection.
type Fault func(*Conn)

// The faults.
var (
	Cut   Fault = (*Conn).cut   // both sides see an orderly end
	Reset Fault = (*Conn).reset // both sides see a reset
	Hold  Fault = (*Conn).stall // neither side sees anything any more: the connection is half open
)

// A rule does a fault once, to the connection that meets it.
type rule struct {
	text  []byte // seen from a client; nil: after bytes from the server
	bytes int64
	fault Fault
}

// New starts a proxy to a target (host:port) that ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("faultproxy: %v", err)
	}
	p := &Proxy{listener: l, target: target}
	p.mu.conns = map[*Conn]struct{}{}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.All(Cut)
		p.wg.Wait()
	})
	return p
}

// Port is where the proxy listens on 127.0.0.1.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Accepted counts the connections that came so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.accepted
}

// All does a fault to all present connections; later ones work.
func (p *Proxy) All(f Fault) {
	p.mu.Lock()
	conns := make([]*Conn, 0, len(p.mu.conns))
	for c := range p.mu.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}

// Refuse ends new connections as soon as they come, or lets them in again.
func (p *Proxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.refuse = yes
}

// Throttle bounds what each connection gets from the server, in bytes a second; 0: no bound.
func (p *Proxy) Throttle(rate int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.rate = rate
}

// OnText does a fault to the next connection whose client sends text in one
// piece, instead of passing it on.
func (p *Proxy) OnText(text string, f Fault) { p.addRule(&rule{text: []byte(text), fault: f}) }

// AfterBytes does a fault to the connection that brings the n-th byte from the
// server, counted from now over all connections: it is the last that passes.
func (p *Proxy) AfterBytes(n int64, f Fault) { p.addRule(&rule{bytes: n, fault: f}) }

func (p *Proxy) addRule(r *rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.rules = append(p.mu.rules, r)
}

// Pending reports whether a rule has not been met yet.
func (p *Proxy) Pending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.rules) > 0
}

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.mu.accepted++
		refuse := p.mu.refuse
		p.mu.Unlock()
		if refuse {
			in.Close()
			continue
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		c := &Conn{client: in.(*net.TCPConn), server: out.(*net.TCPConn), held: make(chan struct{}), closed: make(chan struct{})}
		p.mu.Lock()
		p.mu.conns[c] = struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() {
			var both sync.WaitGroup
			both.Go(func() { p.pump(c, c.client, c.server, p.fromClient) })
			both.Go(func() { p.pump(c, c.server, c.client, p.fromServer) })
			both.Wait()
			p.mu.Lock()
			delete(p.mu.conns, c)
			p.mu.Unlock()
		})
	}
}

// pump forwards one direction until an end or a fault. look gives how much of
// a piece passes and the fault that follows it.
func (p *Proxy) pump(c *Conn, from, to *net.TCPConn, look func([]byte) (int, Fault)) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-c.held:
			<-c.closed
			return
		default:
		}
		pass, fault := look(buf[:n])
		if _, werr := to.Write(buf[:pass]); werr != nil {
			err = werr
		}
		if fault != nil {
			fault(c)
		} else if err != nil {
			c.cut()
			return
		}
	}
}

func (p *Proxy) fromClient(b []byte) (int, Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.mu.rules {
		if r.text != nil && bytes.Contains(b, r.text) {
			p.mu.rules = append(p.mu.rules[:i:i], p.mu.rules[i+1:]...)
			return 0, r.fault
		}
	}
	return len(b), nil
}

func (p *Proxy) fromServer(b []byte) (int, Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.rate > 0 {
		wait := time.Duration(len(b)) * time.Second / time.Duration(p.mu.rate)
		p.mu.Unlock()
		time.Sleep(wait)
		p.mu.Lock()
	}
	for i, r := range p.mu.rules {
		if r.text != nil {
			continue
		}
		if r.bytes -= int64(len(b)); r.bytes <= 0 {
			p.mu.rules = append(p.mu.rules[:i:i], p.mu.rules[i+1:]...)
			return len(b) + int(r.bytes), r.fault
		}
	}
	return len(b), nil
}

func (c *Conn) cut() {
	c.close.Do(func() {
		c.client.Close()
		c.server.Close()
		close(c.closed)
	})
}

func (c *Conn) reset() {
	_ = c.client.SetLinger(0) // they may be closed already
	_ = c.server.SetLinger(0)
	c.cut()
}

func (c *Conn) stall() { c.hold.Do(func() { close(c.held) }) }
