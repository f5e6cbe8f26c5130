package cdc

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// heartbeat writes a message to the server's log every HeartbeatInterval, and
// runs HeartbeatQuery, through a connection of its own. A failure is not the stream's: it is
// shown beside its state, and the next beat tries again.
func (r *run) heartbeat(ctx context.Context) {
	var conn *pgconn.PgConn
	defer func() {
		if conn != nil {
			conn.Close(context.WithoutCancel(ctx))
		}
	}()
	tick := time.NewTicker(r.cfg.HeartbeatInterval)
	defer tick.Stop()
	shown := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var err error
		if conn == nil || conn.IsClosed() {
			conn, err = connect(ctx, &r.cfg, false)
		}
		if err == nil {
			err = r.beat(ctx, conn)
		}
		if ctx.Err() != nil {
			return
		}
		text := ""
		if err != nil {
			r.m.heartbeatFailures.Add(1)
			err = fmt.Errorf("heartbeat: %w", err)
			text = err.Error()
		}
		if text != shown {
			shown = text
			r.m.heartbeatError.Store(&text)
			r.sink.Status("streaming", err)
		}
	}
}

func (r *run) beat(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.patience())
	defer cancel()
	_, err := query(ctx, conn, "SELECT pg_logical_emit_message(true, '"+heartbeatPrefix+"', '"+heartbeatContent+"')")
	if err == nil && r.cfg.HeartbeatQuery != "" {
		_, err = query(ctx, conn, r.cfg.HeartbeatQuery)
	}
	return err
}
