package cdc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/helios-sql/helios-sql/connectors/cdc"
)

// shop makes a database to capture and gives its connection string.
func shop(name string) string {
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
		run("", sql)
	}
	run(name, `CREATE TABLE users (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY, user_id int, amount numeric(10,2));
		INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace')`)
	return cdc.SharedServer().DSN(name)
}

func run(db, sql string) {
	if err := cdc.SharedServer().Exec(context.Background(), db, sql); err != nil {
		log.Fatal(err)
	}
}

// A source gives a snapshot and then every change, once.
func ExampleSource_Events() {
	ctx := context.Background()
	cfg := cdc.Config{
		ConnectionString: shop("example_events"),
		Tables:           []string{"public.users", "public.orders"},
		SlotName:         "example_events",
		SnapshotMode:     cdc.SnapshotInitial,
		BufferSize:       10000,
	}
	src, err := cdc.NewSource(cfg)
	if err != nil {
		log.Fatal(err)
	}
	if err := src.Start(ctx); err != nil {
		log.Fatal(err)
	}
	run("example_events", "INSERT INTO orders VALUES (10, 1, 99.50); UPDATE users SET name = 'Ada L.' WHERE id = 1; DELETE FROM users WHERE id = 2")
	for ev, err := range src.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		switch ev.Type {
		case cdc.Read, cdc.Create, cdc.Update:
			fmt.Println(ev.Type, ev.Table.Name, ev.After().Text(0), ev.After().Text(1))
		case cdc.Delete:
			fmt.Println(ev.Type, ev.Table.Name, ev.Before().Text(0))
		}
		if ev.Type == cdc.Delete {
			break
		}
	}
	m := src.Metrics()
	fmt.Println(m.SnapshotRecords, m.EventsCreated, m.EventsUpdated, m.EventsDeleted)
	src.Close()
	cdc.DropSlot(ctx, cfg, true)
	// Output:
	// read users 1 Ada
	// read users 2 Grace
	// create orders 10 1
	// update users 1 Ada L.
	// delete users 2
	// 2 1 1 1
}

// What was handled is saved with the checkpoint behind it, confirmed, and
// gone on from later.
func ExampleSource_Restore() {
	ctx := context.Background()
	cfg := cdc.Config{ConnectionString: shop("example_restore"), Tables: []string{"users"}, SlotName: "example_restore", HeartbeatInterval: time.Second}
	var saved []byte
	for _, sql := range []string{"INSERT INTO users VALUES (3, 'Edsger')", "INSERT INTO users VALUES (4, 'Barbara')"} {
		src, err := cdc.NewSource(cfg)
		if err != nil {
			log.Fatal(err)
		}
		if saved != nil {
			var cp cdc.Checkpoint
			if err := json.Unmarshal(saved, &cp); err != nil {
				log.Fatal(err)
			}
			if err := src.Restore(cp); err != nil {
				log.Fatal(err)
			}
		}
		if err := src.Start(ctx); err != nil {
			log.Fatal(err)
		}
		run("example_restore", sql)
		for ev, err := range src.Events(ctx) {
			if err != nil {
				log.Fatal(err)
			}
			if ev.HasAfter() {
				fmt.Println(ev.Type, ev.After().Text(1))
			}
			if ev.Type == cdc.Create {
				break
			}
		}
		cp := src.Checkpoint()
		if saved, err = json.Marshal(cp); err != nil { // to a disk, in life
			log.Fatal(err)
		}
		if err := src.Confirm(cp); err != nil {
			log.Fatal(err)
		}
		src.Close()
		time.Sleep(100 * time.Millisecond) // for the slot to be free
	}
	cdc.DropSlot(ctx, cfg, true)
	// Output:
	// read Ada
	// read Grace
	// create Edsger
	// create Barbara
}

// Transactions come whole, the rows of large ones as they arrive.
func ExampleSource_Transactions() {
	ctx := context.Background()
	cfg := cdc.Config{ConnectionString: shop("example_txns"), Tables: []string{"users", "orders"}, SlotName: "example_txns", SnapshotMode: cdc.SnapshotNever}
	src, err := cdc.NewSource(cfg)
	if err != nil {
		log.Fatal(err)
	}
	if err := src.Start(ctx); err != nil {
		log.Fatal(err)
	}
	run("example_txns", "BEGIN; INSERT INTO users VALUES (3, 'Edsger'); INSERT INTO orders VALUES (1, 3, 5); COMMIT")
	run("example_txns", "DELETE FROM orders")
	n := 0
	for txn, err := range src.Transactions(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for ev, err := range txn.Events() {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(n, ev.Seq, ev.Type, ev.Table.Name)
		}
		if n++; n == 2 {
			break
		}
	}
	src.Close()
	cdc.DropSlot(ctx, cfg, true)
	// Output:
	// 0 1 create users
	// 0 2 create orders
	// 1 1 delete orders
}
