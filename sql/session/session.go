// Package session is the contract between a client protocol and the engine.
package session

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Server makes sessions. The engine is one.
type Server interface {
	// NewSession starts a session for an authenticated user. params are the
	// startup message's (user, database, application_name, client_encoding, …).
	// An error (unknown database: 3D000) ends the connection.
	NewSession(ctx context.Context, params map[string]string) (Session, error)
}

// A Session is one client's conversation. It is used by one goroutine, but
// for the context given to its methods, whose cancellation ends a statement
// with 57014.
//
// It follows the PostgreSQL manual's chapter "Message Flow": it keeps
// prepared statements and portals by name ("" is the unnamed one) and the
// transaction's state. An error inside a transaction block makes the block
// failed; the caller skips messages up to Sync by itself.
type Session interface {
	// Query runs a simple-protocol string of any number of statements. Results
	// go to w, statement by statement: Columns, Row…, Complete; or Empty.
	// It stops at the first error and returns it.
	Query(ctx context.Context, sql string, w ResultWriter) error

	// Parse prepares one statement under a name. paramOIDs may be shorter than
	// the list of parameters; 0 means: infer.
	Parse(ctx context.Context, name, sql string, paramOIDs []types.OID) error
	// DescribeStatement gives the parameters' types and the result's columns,
	// nil where the statement returns no rows.
	DescribeStatement(name string) ([]types.OID, []ResultColumn, error)
	// Bind makes a portal of a prepared statement. formats has zero, one or one
	// per parameter: 0 text, 1 binary. A nil value is NULL.
	Bind(ctx context.Context, portal, stmt string, formats []int16, params [][]byte) error
	// DescribePortal gives the result's columns, nil where there are none.
	DescribePortal(portal string) ([]ResultColumn, error)
	// Execute runs a portal for at most maxRows rows (0: all) and reports
	// whether it was suspended at that limit. A later Execute goes on. It calls
	// Row and then Complete (not when suspended), or Empty; never Columns.
	Execute(ctx context.Context, portal string, maxRows int, w ResultWriter) (suspended bool, err error)
	ClosePortal(portal string)
	CloseStatement(name string)
	// Sync ends the implicit transaction of an extended-protocol batch: failed
	// says whether an error was sent since the last Sync. It returns an error
	// if the commit fails.
	Sync(ctx context.Context, failed bool) error

	// TxStatus is what ReadyForQuery carries: 'I', 'T' or 'E'.
	TxStatus() byte
	// Parameters are the settings reported to the client (ParameterStatus), in
	// order: server_version, server_encoding, client_encoding, DateStyle, …
	Parameters() [][2]string
	// Close frees everything; an open transaction is rolled back.
	Close()
}

// An Identified session has a number, the one that pg_backend_pid() gives: the
// client gets it as its process ID, with which it asks for cancellation.
type Identified interface {
	// ID is unique among the sessions that are open.
	ID() int32
}

// A Named session knows what OIDs mean in the text of regclass and its kin.
type Named interface{ Names() types.Names }

// A ResultColumn describes one column of a result.
type ResultColumn struct {
	Name     string
	Type     types.Type
	TableOID uint32 // 0 when it is not a plain column of a relation
	Attr     int16  // its number in that relation, from 1
}

// A ResultWriter takes a statement's results. Its errors are the client's
// connection failing; the statement then ends.
type ResultWriter interface {
	// Columns starts a result of rows (simple protocol only).
	Columns(cols []ResultColumn) error
	// Row takes one packed row whose values have the announced types; borrowed.
	Row(row types.Row) error
	// Complete ends a statement with its command tag, such as "SELECT 3".
	Complete(tag string) error
	// Empty is the answer to an empty query string.
	Empty() error
	// Notice sends a NoticeResponse (severity NOTICE, WARNING, …).
	Notice(n *pgerr.Error) error
	// Parameter reports a changed setting (ParameterStatus).
	Parameter(name, value string) error

	// CopyOut starts a COPY … TO STDOUT of n text columns; CopyData takes one
	// line with its newline; Complete ends it.
	CopyOut(columns int, binary bool) error
	CopyData(line []byte) error
	// CopyIn starts a COPY … FROM STDIN and returns a reader of the client's
	// data, which ends with io.EOF at CopyDone and with an error at CopyFail.
	CopyIn(columns int, binary bool) (CopyReader, error)
	// Flush pushes what is buffered to the client (a follower of a stream).
	Flush() error
}

// A CopyReader reads the data of a COPY … FROM STDIN.
type CopyReader interface{ Read(p []byte) (int, error) }
