package cdc

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

func serverSays(code pgerr.Code) error {
	return asPgerr(&pgconn.PgError{Code: string(code), Message: "no"}, "asking")
}

func TestIsTransient(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{io.EOF, true},
		{serverSays(pgerr.ObjectInUse), true},
		{serverSays(pgerr.UndefinedTable), false},
		{serverSays(pgerr.InternalError), true},
		{pgerr.Newf(pgerr.InternalError, "of our own"), false},
		{errors.New("of our own"), false},
		// The connection was lost, whatever it was that the server said last.
		{&lostError{serverSays(pgerr.InternalError)}, true},
		{fmt.Errorf("at 0/1: %w", &lostError{serverSays(pgerr.UndefinedTable)}), true},
		{&sinkError{&lostError{io.EOF}}, false},
	} {
		if got := IsTransient(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// The waits double up to a bound that what the server says sets, jitter included.
func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		err  error
		most time.Duration
	}{
		{serverSays(pgerr.ObjectInUse), time.Second},
		{serverSays(pgerr.CannotConnectNow), 2 * time.Second},
		{asPgerr(&lostError{syscall.ECONNREFUSED}, "connecting"), 2 * time.Second},
		{&lostError{io.EOF}, 15 * time.Second},
		{serverSays(pgerr.TooManyConnections), 15 * time.Second},
	} {
		for failures := 1; failures < 100; failures++ {
			most := c.most
			if failures <= 8 {
				most = min(most, 100*time.Millisecond<<(failures-1))
			}
			if got := backoff(c.err, failures); got < most/2 || got > most {
				t.Fatalf("%v, failure %d: %v is not in [%v, %v]", c.err, failures, got, most/2, most)
			}
		}
	}
}
