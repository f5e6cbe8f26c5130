package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// defaultPatience is how long a server may take over an answer until we look
// whether it still works on it, where no KeepaliveTimeout says so.
const defaultPatience = time.Minute

func (c *Config) patience() time.Duration {
	if c.KeepaliveTimeout > 0 {
		return c.KeepaliveTimeout
	}
	return defaultPatience
}

// watched runs f, which talks over the connection of the server process pid all
// the time, under a context that ends with a lostError when that connection is half open.
//
// Some commands may rightly take for ever (a new slot waits for the transactions that
// are open), and the server says nothing meanwhile; so it is asked through another
// connection, whenever patience has passed, whether its process is still at it. waiting, if not nil,
// says since when f waits for the server; zero: it does not.
func watched(ctx context.Context, cfg *Config, pid uint32, waiting func() time.Time, f func(context.Context) error) error {
	wctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(cfg.patience())
		defer tick.Stop()
		for {
			select {
			case <-wctx.Done():
				return
			case <-tick.C:
			}
			since := time.Time{}
			if waiting != nil {
				if since = waiting(); since.IsZero() || time.Since(since) < cfg.patience() {
					continue
				}
			}
			err := probe(wctx, cfg, pid)
			// An answer that came meanwhile counts for more.
			if err != nil && wctx.Err() == nil && (waiting == nil || waiting().Equal(since)) {
				cancel(&lostError{err})
				return
			}
		}
	}()
	err := f(wctx)
	cause := context.Cause(wctx)
	cancel(nil)
	<-ended
	if cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// probe asks the server, through a connection of its own, whether its process
// pid is still busy. A server that answers with an error is alive.
func probe(ctx context.Context, cfg *Config, pid uint32) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.patience())
	defer cancel()
	conn, err := connect(ctx, cfg, false)
	var rows [][]string
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx))
		rows, err = query(ctx, conn, `SELECT state = 'active' AND COALESCE(wait_event, '') NOT IN ('ClientRead', 'ClientWrite')
			OR state_change > now() - interval '`+strconv.FormatInt(cfg.patience().Microseconds(), 10)+` us' FROM pg_stat_activity WHERE pid = `+strconv.FormatUint(uint64(pid), 10))
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return nil
	case err != nil:
		return fmt.Errorf("no sign of life from the server for %v: %w", cfg.patience(), err)
	case len(rows) == 0 || rows[0][0] == "f":
		return fmt.Errorf("no answer from the server, which waits for us, for %v", cfg.patience())
	}
	return nil
}
