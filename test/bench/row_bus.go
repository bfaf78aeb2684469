package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"

	"github.com/djauthy/djauthy/client/otp/bus"
	"github.com/djauthy/djauthy/test/broker"
)

// busAtMost is this project's limit for a call on the bus: times the CPU of a
// bare echo on the same broker.
const busAtMost = 2.0

// busApps is how many apps call and are verified.
const busApps = 50

// busRow is verify over nameko's RPC, beside an echo that answers every call
// with what djauthy would. It returns nil where there is no RabbitMQ.
func busRow(b *bench) (*result, error) {
	var rabbit broker.Broker
	url, err := rabbit.Open()
	if errors.Is(err, exec.ErrNotFound) {
		b.say("  no RabbitMQ: Debian's package is rabbitmq-server")
		return nil, nil
	}
	var r *result
	if err == nil {
		r, err = b.onBroker(url)
	}
	return r, errors.Join(err, rabbit.Close())
}

func (b *bench) onBroker(url string) (*result, error) {
	dir, err := b.subdir()
	if err != nil {
		return nil, err
	}
	apps, err := b.addApps(dir)
	if err != nil {
		return nil, err
	}
	var p pair
	if p.djauthy, err = b.start(b.djauthy(), dir, "DJAUTHY_BUS_URL="+url); err != nil {
		return nil, err
	}
	if p.standin, err = b.startFresh(b.standin(), "-bus", url); err != nil {
		return nil, errors.Join(err, p.djauthy.stop())
	}
	names := map[*server]string{p.djauthy: "ungleichotp", p.standin: echoName}
	calls := func(s *server) (*outcome, error) { return b.busCalls(url, names[s], apps) }
	for s := range names { // warm up
		if err == nil {
			_, err = sampleOf(s, calls)
		}
	}
	var w work
	if err == nil {
		w, err = b.compare("verify over the bus (stand-in: an echo on the same broker)", &p, calls)
	}
	w.AtMost = busAtMost
	return &result{Works: []work{w}}, errors.Join(err, p.djauthy.stop(), p.standin.stop())
}

// addApps makes apps that may verify each other.
func (b *bench) addApps(dir string) ([]bus.App, error) {
	command := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(b.ctx, b.binary, args...)
		cmd.Dir, cmd.Env = dir, b.djauthy().start(dir, "127.0.0.1:1").Env
		return cmd.Output()
	}
	if _, err := command("migrate"); err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	var apps []bus.App
	for range busApps {
		out, err := command("services", "add-app", "--username", "bench", "--appname", "bench", "--trusted")
		if err != nil {
			return nil, fmt.Errorf("add an app: %w", err)
		}
		var made struct{ Appuuid, Seed string }
		if err := json.Unmarshal(out, &made); err != nil {
			return nil, err
		}
		apps = append(apps, bus.App{UUID: made.Appuuid, Seed: made.Seed})
	}
	return apps, nil
}

// busCalls is the load of many callers over one connection.
func (b *bench) busCalls(url, service string, apps []bus.App) (*outcome, error) {
	c, err := bus.Dial(url, service)
	if err != nil {
		return nil, err
	}
	out, err := closedLoop(b.ctx, checkers, b.part, func() (*worker, error) {
		return &worker{close: func() {}, do: func() error {
			by, of := apps[rand.N(len(apps))], apps[rand.N(len(apps))]
			token, err := of.Token()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
			defer cancel()
			ok, err := c.Verify(ctx, by, of.UUID, token)
			if err == nil && !ok {
				err = errors.New("FAIL")
			}
			return err
		}}, nil
	})
	return out, errors.Join(err, c.Close())
}
