package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/xdg-go/scram"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Codes of the Authentication messages.
const (
	authOK           = 0
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

// An Authenticator finds out whether a client is the user it says it is.
type Authenticator interface {
	// Authenticate talks to the client until it is sure. Its error is what the
	// client gets.
	Authenticate(user string, x Exchange) error
}

// An Exchange is the talk with a client that logs in.
type Exchange interface {
	// Send sends an Authentication message with a code and what follows it.
	Send(code uint32, data []byte) error
	// Receive waits for the client's answer, borrowed until the next call.
	Receive() ([]byte, error)
}

// Trust believes every client.
type Trust struct{}

// Authenticate does nothing.
func (Trust) Authenticate(string, Exchange) error { return nil }

const (
	scramMechanism  = "SCRAM-SHA-256"
	scramIterations = 4096
	scramSaltSize   = 16
)

// A scramAuth asks for a password with SCRAM-SHA-256 (RFC 7677). It keeps no
// password, but what verifies it.
type scramAuth struct {
	stored map[string]scram.StoredCredentials
	secret [32]byte // what unknown users' salts are made of
}

// NewSCRAM makes an authenticator of users with passwords. Unknown users go
// through the same exchange and fail in the same way.
func NewSCRAM(passwords map[string]string) (Authenticator, error) {
	a := &scramAuth{stored: map[string]scram.StoredCredentials{}}
	if _, err := rand.Read(a.secret[:]); err != nil {
		return nil, err
	}
	for user, password := range passwords {
		client, err := scram.SHA256.NewClient("", password, "")
		if err != nil { // not for SASLprep: the bytes as they are, as libpq does
			if client, err = scram.SHA256.NewClientUnprepped("", password, ""); err != nil {
				return nil, fmt.Errorf("password of user %q: %w", user, err)
			}
		}
		var salt [scramSaltSize]byte
		if _, err := rand.Read(salt[:]); err != nil {
			return nil, err
		}
		creds, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt[:]), Iters: scramIterations})
		if err != nil {
			return nil, fmt.Errorf("password of user %q: %w", user, err)
		}
		a.stored[user] = creds
	}
	return a, nil
}

// credentials gives what verifies a user's password. An unknown user has a
// salt, always the same, and keys that no password fits.
func (a *scramAuth) credentials(user string) (scram.StoredCredentials, error) {
	if c, ok := a.stored[user]; ok {
		return c, nil
	}
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write([]byte(user))
	var keys [2 * sha256.Size]byte
	if _, err := rand.Read(keys[:]); err != nil {
		return scram.StoredCredentials{}, err
	}
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(mac.Sum(nil)[:scramSaltSize]), Iters: scramIterations},
		StoredKey:  keys[:sha256.Size],
		ServerKey:  keys[sha256.Size:],
	}, nil
}

// Authenticate runs the exchange. The user is the startup message's: the name
// in the client's first message counts for nothing, as in PostgreSQL.
func (a *scramAuth) Authenticate(user string, x Exchange) error {
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return a.credentials(user) })
	if err != nil {
		return err
	}
	if err := x.Send(authSASL, []byte(scramMechanism+"\x00\x00")); err != nil {
		return err
	}
	msg, err := x.Receive()
	if err != nil {
		return err
	}
	first, err := initialResponse(msg)
	if err != nil {
		return err
	}
	conv := server.NewConversation()
	answer, err := conv.Step(first)
	if err != nil {
		return malformedSCRAM(err)
	}
	if err := x.Send(authSASLContinue, []byte(answer)); err != nil {
		return err
	}
	if msg, err = x.Receive(); err != nil {
		return err
	}
	// Both a bad proof and a malformed last message say no more than this.
	if answer, err = conv.Step(string(msg)); err != nil || !conv.Valid() {
		return pgerr.Newf(pgerr.InvalidPassword, "password authentication failed for user %q", user)
	}
	return x.Send(authSASLFinal, []byte(answer))
}

// initialResponse reads a SASLInitialResponse: mechanism, length, data.
func initialResponse(msg []byte) (string, error) {
	name, rest, ok := bytes.Cut(msg, []byte{0})
	if !ok || len(rest) < 4 {
		return "", malformedSCRAM(fmt.Errorf("the message is too short"))
	}
	if string(name) != scramMechanism {
		return "", pgerr.Newf(pgerr.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	n := int32(binary.BigEndian.Uint32(rest))
	if rest = rest[4:]; int64(n) != int64(len(rest)) {
		return "", malformedSCRAM(fmt.Errorf("the message's length is wrong"))
	}
	return string(rest), nil
}

func malformedSCRAM(err error) error {
	return pgerr.Newf(pgerr.ProtocolViolation, "malformed SCRAM message").WithDetail("%v", err)
}
