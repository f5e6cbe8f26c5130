package wire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
)

// Codes that stand where a startup message has its version.
const (
	protocol3   = 3 << 16
	cancelCode  = 1234<<16 | 5678
	sslCode     = 1234<<16 | 5679
	gssCode     = 1234<<16 | 5680
	noEncrypted = 'N'
)

// startup talks to a client until it has a session. It reports false when the
// connection is to be closed; the client has been told why.
func (c *conn) startup(ctx context.Context) bool {
	c.nc.SetDeadline(time.Now().Add(c.srv.opts.AuthenticationTimeout)) //nolint:errcheck // the next read fails
	params, err := c.startupMessage()
	if err != nil || params == nil {
		if err != nil {
			c.sayGoodbye(err)
		}
		return false
	}
	c.counted = true
	if n := c.srv.clients.Add(1); int(n) > c.srv.opts.MaxConnections {
		c.srv.metrics.refused.Add(1)
		c.sayGoodbye(pgerr.Newf(pgerr.TooManyConnections, "sorry, too many clients already"))
		return false
	}
	if err := c.login(ctx, params); err != nil {
		c.sayGoodbye(err)
		return false
	}
	if c.out.flush() != nil {
		return false
	}
	c.nc.SetDeadline(time.Time{}) //nolint:errcheck // the next read fails
	return true
}

// startupMessage answers requests for encryption and reads the parameters.
// Without an error, nil says that there is nothing more to do.
func (c *conn) startupMessage() (map[string]string, error) {
	asked := map[uint32]bool{}
	for {
		body, err := c.in.startup()
		if err != nil {
			return nil, err
		}
		code := binary.BigEndian.Uint32(body)
		switch {
		case (code == sslCode || code == gssCode) && !asked[code]:
			asked[code] = true
			if _, err := c.nc.Write([]byte{noEncrypted}); err != nil {
				return nil, err
			}
		case code == cancelCode:
			if len(body) == 12 {
				c.srv.cancelRequest(int32(binary.BigEndian.Uint32(body[4:])), binary.BigEndian.Uint32(body[8:]))
			}
			return nil, nil
		case code>>16 == 3:
			return c.parameters(code, body[4:])
		case code>>16 < 3:
			// The answer in the form of protocol 2.0: a text.
			_, err := fmt.Fprintf(c.nc, "EFATAL:  unsupported frontend protocol %d.%d: server supports 3.0 to 3.0\n\x00", code>>16, code&0xffff)
			return nil, err
		default:
			return nil, pgerr.Newf(pgerr.FeatureNotSupported, "unsupported frontend protocol %d.%d: server supports 3.0 to 3.0", code>>16, code&0xffff)
		}
	}
}

// parameters reads the startup message's names and values, and tells a client
// that asked for more than we have what we have.
func (c *conn) parameters(version uint32, body []byte) (map[string]string, error) {
	params := map[string]string{}
	var unknown []string
	fields := strings.Split(string(body), "\x00")
	if len(fields) < 2 || fields[len(fields)-1] != "" || fields[len(fields)-2] != "" {
		return nil, errStartupLayout
	}
	for fields = fields[:len(fields)-2]; len(fields) > 0; fields = fields[2:] {
		if len(fields) < 2 || fields[0] == "" {
			return nil, errStartupLayout
		}
		if strings.HasPrefix(fields[0], "_pq_.") {
			unknown = append(unknown, fields[0])
			continue
		}
		params[fields[0]] = fields[1]
	}
	if version != protocol3 || len(unknown) > 0 {
		c.out.begin('v')
		c.out.int32(protocol3)
		c.out.int32(uint32(len(unknown)))
		for _, name := range unknown {
			c.out.str(name)
		}
		if err := c.out.end(); err != nil {
			return nil, err
		}
	}
	if params["user"] == "" {
		return nil, pgerr.Newf(pgerr.InvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	switch strings.ToLower(params["replication"]) {
	case "", "off", "false", "no", "0":
	default:
		return nil, pgerr.Unsupported(0, "replication connection")
	}
	return params, commandLine(params)
}

var errStartupLayout = pgerr.Newf(pgerr.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")

// commandLine takes settings out of the parameter "options", which is written
// as PostgreSQL's command line: -c name=value or --name=value, a backslash before a
// space that is part of a word. A parameter of its own counts for more.
func commandLine(params map[string]string) error {
	words := splitOptions(params["options"])
	for i := 0; i < len(words); i++ {
		w := words[i]
		var setting string
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			setting = words[i]
		case strings.HasPrefix(w, "-c"):
			setting = w[2:]
		case strings.HasPrefix(w, "--"):
			setting = w[2:]
		default:
			return pgerr.Newf(pgerr.SyntaxError, "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return pgerr.Newf(pgerr.SyntaxError, "-c %s requires a value", setting)
		}
		name = strings.ReplaceAll(name, "-", "_")
		if _, own := params[name]; !own {
			params[name] = value
		}
	}
	return nil
}

// splitOptions cuts at white space that has no backslash before it.
func splitOptions(s string) []string {
	var words []string
	var word []byte
	in := false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case strings.IndexByte(" \t\n\r\v\f", ch) >= 0:
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
		case ch == '\\' && i+1 < len(s):
			i++
			word, in = append(word, s[i]), true
		default:
			word, in = append(word, ch), true
		}
	}
	if in {
		words = append(words, string(word))
	}
	return words
}

// login authenticates the client and starts its session.
func (c *conn) login(ctx context.Context, params map[string]string) error {
	if err := c.srv.opts.Auth.Authenticate(params["user"], exchange{c}); err != nil {
		return err
	}
	if err := (exchange{c}).append(authOK, nil); err != nil {
		return err
	}
	ses, err := c.srv.sessions.NewSession(ctx, params)
	if err != nil {
		return err
	}
	c.ses = ses
	if n, ok := ses.(session.Named); ok {
		c.results.zone.Names = n.Names()
	}
	if id, ok := ses.(session.Identified); ok {
		c.pid = id.ID()
	} else {
		c.pid = c.srv.lastPID.Add(1)
	}
	var secret [4]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return err
	}
	c.secret = binary.BigEndian.Uint32(secret[:])
	c.srv.canBeCanceled(c)
	if err := c.reportParameters(); err != nil {
		return err
	}
	c.out.begin('K')
	c.out.int32(uint32(c.pid))
	c.out.int32(c.secret)
	if err := c.out.end(); err != nil {
		return err
	}
	return c.ready()
}

// reportParameters sends the settings that differ from what the client knows.
func (c *conn) reportParameters() error {
	now := c.ses.Parameters()
	for _, p := range now {
		if slices.Contains(c.reported, p) {
			continue
		}
		c.out.begin('S')
		c.out.str(p[0])
		c.out.str(p[1])
		if err := c.out.end(); err != nil {
			return err
		}
	}
	c.reported = now
	c.setZone(now)
	return nil
}

// An exchange is a connection that logs in.
type exchange struct{ c *conn }

func (x exchange) append(code uint32, data []byte) error {
	x.c.out.begin('R')
	x.c.out.int32(code)
	x.c.out.buf = append(x.c.out.buf, data...)
	return x.c.out.end()
}

// Send sends an Authentication message.
func (x exchange) Send(code uint32, data []byte) error {
	if err := x.append(code, data); err != nil {
		return err
	}
	return x.c.out.flush()
}

// Receive waits for the client's answer.
func (x exchange) Receive() ([]byte, error) {
	if _, _, err := x.c.in.next(authLimit); err != nil {
		return nil, err
	}
	return x.c.in.body()
}

// canBeCanceled makes a connection known by its key.
func (s *Server) canBeCanceled(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.byPID[c.pid] = c
}

// cancelRequest cancels what a connection is running, if the secret is its.
func (s *Server) cancelRequest(pid int32, secret uint32) {
	s.mu.Lock()
	c := s.mu.byPID[pid]
	s.mu.Unlock()
	if c != nil && subtle.ConstantTimeEq(int32(secret), int32(c.secret)) == 1 {
		s.metrics.cancels.Add(1)
		c.cancel(errCanceled)
	}
}

var errCanceled = pgerr.Newf(pgerr.QueryCanceled, "canceling statement due to user request")
