package engine

import (
	"context"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// RunScript runs a file of statements in a session of its own, one after
// another, and stops at the first error, which names the statement's line.
func (e *Engine) RunScript(ctx context.Context, text string) error {
	e.scripts.Add(1)
	defer e.scripts.Add(-1)
	parsed, err := parser.Parse(text)
	if err != nil {
		return err
	}
	s, err := e.NewSession(ctx, map[string]string{"user": "init", "database": e.opts.Database, "application_name": "init"})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, p := range parsed {
		if err := s.Query(ctx, p.Text, logWriter{e}); err != nil {
			line := 1
			for i, c := range []rune(text) {
				if i == p.Offset {
					break
				}
				if c == '\n' {
					line++
				}
			}
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return nil
}

// A logWriter drops a script's rows and logs its notices.
type logWriter struct{ e *Engine }

var _ session.ResultWriter = logWriter{}

func (logWriter) Columns([]session.ResultColumn) error { return nil }
func (logWriter) Row(types.Row) error                  { return nil }
func (logWriter) Complete(string) error                { return nil }
func (logWriter) Empty() error                         { return nil }
func (logWriter) Parameter(_, _ string) error          { return nil }
func (logWriter) CopyOut(int, bool) error              { return nil }
func (logWriter) CopyData([]byte) error                { return nil }
func (logWriter) Flush() error                         { return nil }

func (w logWriter) Notice(n *pgerr.Error) error {
	w.e.log.Info("notice", "severity", n.Severity, "message", n.Message)
	return nil
}

func (logWriter) CopyIn(int, bool) (session.CopyReader, error) {
	return nil, pgerr.Newf(pgerr.FeatureNotSupported, "COPY FROM STDIN is not supported in an init file")
}
