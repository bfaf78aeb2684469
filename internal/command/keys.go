package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/signkeys"
	"github.com/djauthy/djauthy/internal/terminal"
)

// Keys are the commands on the keys that sign tokens.
type Keys struct {
	List   keysList   `cmd:"" help:"List them: the one that signs, the next one, and old ones, which verify what they signed."`
	Rotate keysRotate `cmd:"" help:"Let the next key sign at once. The server does it by itself (oauth.rotate_keys)."`
}

// keyJSON is a key as commands print it.
type keyJSON struct {
	KID       string         `json:"kid"`
	Alg       signkeys.Alg   `json:"alg"`
	State     signkeys.State `json:"state"`
	Created   time.Time      `json:"created"`
	Activated *time.Time     `json:"activated"`
	Retired   *time.Time     `json:"retired"`
}

func toKeyJSON(k signkeys.Key) keyJSON {
	return keyJSON{k.KID, k.Alg, k.State, k.Created, terminal.OrNull(k.Activated), terminal.OrNull(k.Retired)}
}

type keysList struct{}

// Run lists signing keys.
func (keysList) Run(e *Env) error {
	return e.with(func(h *House) error {
		all, err := h.Keys.List(e.Ctx)
		if err != nil {
			return err
		}
		return terminal.List(e.Out, []string{"KID", "ALG", "STATE", "SINCE"}, func(bool) (lines []terminal.Line, _, _ bool, _ error) {
			for _, k := range all {
				lines = append(lines, terminal.Row(toKeyJSON(k), k.KID, string(k.Alg), string(k.State), terminal.Date(terminal.OrNull(k.Since()))))
			}
			return lines, false, false, nil
		})
	})
}

type keysRotate struct {
	Withdraw bool `help:"After a leak: remove all keys, old ones too, and make others. Tokens signed before are refused, here within seconds, by apps once they fetch the keys again; who needs one has to get a new one."`
}

// Run lets the next key sign, or makes other keys.
func (c keysRotate) Run(e *Env) error {
	return e.with(func(h *House) error {
		if c.Withdraw {
			return withdraw(e, h)
		}
		k, err := h.Directory.RotateKeys(e.Ctx, directory.Command())
		if err != nil {
			return err
		}
		if k.IsUnseen() {
			e.Note("this key is published since " + terminal.Date(&k.Created) + " only: whoever fetched the keys before that refuses what it signs until they fetch them again")
		}
		return e.say(toKeyJSON(k), signs(k))
	})
}

func signs(k signkeys.Key) string { return fmt.Sprintf("%s (%s) signs", k.KID, k.Alg) }

// withdraw makes other keys.
func withdraw(e *Env, h *House) error {
	k, withdrawn, err := h.Directory.WithdrawKeys(e.Ctx, directory.Command())
	if err != nil {
		return err
	}
	kids := make([]string, len(withdrawn))
	for i, gone := range withdrawn {
		kids[i] = gone.KID
	}
	done := signs(k)
	if len(kids) > 0 {
		done += "; withdrawn: " + strings.Join(kids, ", ")
		e.Note("whoever fetched the keys before accepts what the withdrawn ones signed, and refuses what this one signs, until they fetch them again")
	}
	return e.say(struct {
		keyJSON
		Withdrawn []string `json:"withdrawn"`
	}{toKeyJSON(k), kids}, done)
}
