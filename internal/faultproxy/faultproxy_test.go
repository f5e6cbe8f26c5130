package faultproxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func TestFaults(t *testing.T) {
	p := New(t, echo(t))
	dial := func() (net.Conn, *bufio.Reader) {
		t.Helper()
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port())))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c, bufio.NewReader(c)
	}
	say := func(c net.Conn, r *bufio.Reader, text string) error {
		if _, err := io.WriteString(c, text+"\n"); err != nil {
			return err
		}
		got, err := r.ReadString('\n')
		if err == nil && got != text+"\n" {
			t.Errorf("got %q for %q", got, text)
		}
		return err
	}
	c, r := dial()
	if err := say(c, r, "hello"); err != nil {
		t.Fatal(err)
	}
	p.OnText("magic", Cut)
	if err := say(c, r, "the magic word"); err != io.EOF || p.Pending() {
		t.Fatalf("cut: %v", err)
	}
	c, r = dial()
	p.AfterBytes(8, Reset)
	if err := say(c, r, "1234"); err != nil {
		t.Fatal(err)
	}
	if err := say(c, r, "5678"); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("reset after 8 bytes: %v", err)
	}
	c, r = dial()
	if err := say(c, r, "before"); err != nil {
		t.Fatal(err)
	}
	p.All(Hold)
	c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if err := say(c, r, "after"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("hold: %v", err)
	}
	c, r = dial()
	p.Throttle(100)
	began := time.Now()
	if err := say(c, r, "a line of twenty bytes"); err != nil || time.Since(began) < 200*time.Millisecond {
		t.Fatalf("throttle: %v after %v", err, time.Since(began))
	}
	p.Throttle(0)
	p.Refuse(true)
	c, r = dial()
	if err := say(c, r, "x"); err == nil {
		t.Fatal("not refused")
	}
	p.Refuse(false)
	c, r = dial()
	if err := say(c, r, "x"); err != nil || p.Accepted() != 6 {
		t.Fatalf("refused: %v, %d", err, p.Accepted())
	}
}
