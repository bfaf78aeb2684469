package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // RFC 6238
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"
)

// The stand-in's verification: a JSON body, two indexed reads, the tokens of
// seven steps for each, and nothing else: no sealed seeds, realms as data,
// budgets, notes of use or headers.

const servicesSchema = `CREATE TABLE IF NOT EXISTS services (id INTEGER PRIMARY KEY, name TEXT NOT NULL, realm TEXT NOT NULL, seed BLOB NOT NULL, UNIQUE (name, realm)) STRICT`

// seedStandinServices writes the entries of a bench into a file.
func seedStandinServices(ctx context.Context, file string, entries int) (err error) {
	db, err := openSeed(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, servicesSchema); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO services (name, realm, seed) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	for i := range entries {
		s := service(i)
		if _, err := insert.ExecContext(ctx, s.name, s.realm, s.seed); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// seedReaders are connections that find seeds.
type seedReaders chan *sql.Stmt

func openSeedReaders(file string) (seedReaders, error) {
	pool, err := sql.Open("sqlite", storeDSN(file)+"&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	r := make(seedReaders, 4)
	for range cap(r) {
		conn, err := pool.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		stmt, err := conn.PrepareContext(context.Background(), `SELECT seed FROM services WHERE name = ? AND realm = ?`)
		if err != nil {
			return nil, fmt.Errorf("prepare the read of a seed: %w", err)
		}
		r <- stmt
	}
	return r, nil
}

func (r seedReaders) find(name, realm string) (seed []byte, err error) {
	stmt := <-r
	defer func() { r <- stmt }()
	err = stmt.QueryRow(name, realm).Scan(&seed)
	return seed, err
}

// verify answers POST /ungleichotp/verify/.
func (s *standin) verify(c *fiber.Ctx) error {
	var body struct {
		AuthName  string `json:"auth_name"`
		AuthRealm string `json:"auth_realm"`
		AuthToken string `json:"auth_token"`
		Name      string `json:"name"`
		Realm     string `json:"realm"`
		Token     string `json:"token"`
	}
	if err := json.Unmarshal(c.Body(), &body); err != nil {
		return c.SendStatus(fiber.StatusBadRequest)
	}
	caller, err := s.seeds.find(body.AuthName, body.AuthRealm)
	if err != nil || !tokenFits(caller, body.AuthToken) {
		return c.SendStatus(fiber.StatusForbidden)
	}
	claim, err := s.seeds.find(body.Name, body.Realm)
	if err != nil || !tokenFits(claim, body.Token) {
		return c.SendStatus(fiber.StatusForbidden)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.SendString(`{"status":"OK"}`)
}

// tokenFits compares a token with those of seven steps.
func tokenFits(seed []byte, token string) (ok bool) {
	mac := hmac.New(sha1.New, seed)
	step := time.Now().Unix() / 30
	var message [8]byte
	var digits [6]byte
	sum := make([]byte, 0, sha1.Size)
	for at := step - 3; at <= step+3; at++ {
		mac.Reset()
		binary.BigEndian.PutUint64(message[:], uint64(at))
		mac.Write(message[:])
		sum = mac.Sum(sum[:0])
		n := binary.BigEndian.Uint32(sum[sum[19]&0xf:]) & 0x7fffffff
		for i := range digits {
			digits[5-i] = byte('0' + n%10)
			n /= 10
		}
		if subtle.ConstantTimeCompare(digits[:], []byte(token)) == 1 {
			ok = true
		}
	}
	return ok
}
