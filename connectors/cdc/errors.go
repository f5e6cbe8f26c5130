package cdc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
)

// A sinkError is the sink's own error: Run ends with it.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }

// A lostError says that the connection is gone or silent: to be retried.
type lostError struct{ err error }

func (e *lostError) Error() string {
	if e.err == io.EOF {
		return "the server closed the connection"
	}
	return e.err.Error()
}
func (e *lostError) Unwrap() error { return e.err }

// A PositionLostError says that the server cannot give what follows the
// position any more: the slot is gone, invalidated or was moved. With
// SnapshotWhenNeeded it is not seen: a new snapshot is taken.
type PositionLostError struct{ Err error }

func (e *PositionLostError) Error() string { return e.Err.Error() }
func (e *PositionLostError) Unwrap() error { return e.Err }

// A TableError says that one table cannot go on; the others do.
type TableError struct {
	Schema, Table string
	Err           error
}

func (e *TableError) Error() string { return e.Err.Error() }
func (e *TableError) Unwrap() error { return e.Err }

// A TableStaleError says that rows of a partitioned table may have come or gone
// without the server having sent them; its changes go on. To have the table anew, restore
// the source once without it and then with it again.
type TableStaleError struct {
	Schema, Table string
	Err           error
}

func (e *TableStaleError) Error() string { return e.Err.Error() }
func (e *TableStaleError) Unwrap() error { return e.Err }

// A DefiniteError is one that no retry mends: of the configuration, the
// server's set-up or the data. It holds a *pgerr.Error where the cause has an SQLSTATE.
type DefiniteError struct{ Err error }

func (e *DefiniteError) Error() string { return e.Err.Error() }
func (e *DefiniteError) Unwrap() error { return e.Err }

// A TransientError may mend itself: the network, a server that restarts, a
// slot in use. A running source retries by itself; Start tells.
type TransientError struct{ Err error }

func (e *TransientError) Error() string { return e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// typed makes one of the two of an error.
func typed(err error) error {
	switch {
	case err == nil:
		return nil
	case IsTransient(err):
		return &TransientError{err}
	}
	return &DefiniteError{err}
}

// IsTransient reports whether a later attempt may succeed without anyone's
// doing: the network, a restarting server, a slot in use by another.
func IsTransient(err error) bool {
	var sink *sinkError
	if err == nil || errors.As(err, &sink) {
		return false
	}
	var lost *lostError
	if errors.As(err, &lost) {
		return true // whatever the code of its cause: a new connection tells
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return transientCode(pg.Code) || serverFault(err)
	}
	var own *pgerr.Error
	if errors.As(err, &own) {
		return transientCode(string(own.Code))
	}
	var netErr net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &netErr) || errors.As(err, &connect) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, os.ErrNotExist) || errors.Is(err, context.DeadlineExceeded)
}

// serverFault reports whether the server met an internal error. In decoding they
// come and go with what else it does just then.
func serverFault(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == string(pgerr.InternalError)
}

// turnedAway reports whether the server refused the user or its password,
// which may be about to change.
func turnedAway(err error) bool {
	code := pgerr.CodeOf(err)
	return code == pgerr.InvalidPassword || code == pgerr.InvalidAuthorization
}

func transientCode(code string) bool {
	switch pgerr.Code(code) {
	case pgerr.AdminShutdown, pgerr.CannotConnectNow, "57P02", // admin_shutdown, cannot_connect_now, crash_shutdown
		pgerr.ObjectInUse, pgerr.TooManyConnections, pgerr.LockNotAvailable,
		pgerr.DiskFull, pgerr.OutOfMemory, pgerr.InsufficientResources,
		pgerr.SerializationFailure, "40P01", pgerr.QueryCanceled:
		return true
	}
	return len(code) >= 2 && code[:2] == "08" && pgerr.Code(code) != pgerr.ProtocolViolation
}

// asPgerr gives a server's or the network's error an SQLSTATE that travels
// on. The text never holds the password: only what the server said or where
// the connection went.
func asPgerr(err error, doing string) error {
	if err == nil {
		return nil
	}
	var own *pgerr.Error
	if errors.As(err, &own) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		e := pgerr.Newf(pgerr.Code(pg.Code), "%s: %s", doing, pg.Message)
		e.Detail, e.Hint, e.Cause = pg.Detail, pg.Hint, err
		return e
	}
	if IsTransient(err) {
		e := pgerr.Newf(pgerr.ConnectionFailure, "%s: %s", doing, err)
		e.Cause = err
		return e
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// parseConnString reads a connection string. The parser's own message may
// quote a part of a malformed URI, the password among it, so it is left out there.
func parseConnString(s string) (*pgconn.Config, error) {
	if passwordSpills(s) {
		return nil, pgerr.Newf(pgerr.InvalidParameterValue, "invalid connection string").
			WithHint("In a URI the characters / ? # and @ of a password are written as %%2F %%3F %%23 and %%40.")
	}
	cfg, err := pgconn.ParseConfig(s)
	if err == nil {
		return cfg, nil
	}
	e := pgerr.Newf(pgerr.InvalidParameterValue, "invalid connection string").
		WithHint("A connection string is a URI (postgres://user:password@host:port/database?option=value) or a list of keyword = value.")
	var uri *url.Error
	if inner := errors.Unwrap(err); inner != nil && !errors.As(err, &uri) {
		var parse *pgconn.ParseConfigError
		if !errors.As(inner, &parse) {
			e.Detail = inner.Error()
		}
	}
	return nil, e
}

// passwordSpills reports whether a URI's password is cut short by a character
// that ends the authority: the rest would count as the database's name, and be shown.
func passwordSpills(s string) bool {
	_, rest, ok := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?#")
	if !ok || end < 0 || strings.Contains(rest[:end], "@") {
		return false
	}
	behind, _, _ := strings.Cut(rest[end:], "=")
	return strings.Contains(behind, "@")
}
