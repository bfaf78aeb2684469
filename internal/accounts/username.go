package accounts

import (
	"errors"
	"regexp"
	"slices"

	"github.com/djauthy/djauthy/internal/db"
)

// ErrUsername reports a username that nobody may have: of another form, or reserved.
var ErrUsername = errors.New("a username is 3 to 30 small letters, digits, dots, hyphens and underscores, and begins with a letter; some are reserved")

var usernameForm = regexp.MustCompile(`^[a-z][a-z0-9._-]{2,29}$`)

// reservedNames would be taken for the site itself, or for somebody who speaks for it.
var reservedNames = []string{
	"abuse", "account", "accounts", "admin", "administrator", "anonymous", "api", "contact", "djauthy", "everyone", "guest", "help", "hostmaster", "info", "login",
	"logout", "mail", "mailer-daemon", "me", "nobody", "noreply", "no-reply", "null", "oauth", "openid", "operator", "owner", "postmaster", "privacy", "register",
	"root", "security", "service", "settings", "signin", "signup", "staff", "status", "support", "sysadmin", "system", "undefined", "user", "username", "users", "webmaster", "www",
}

// Rename gives a user another username. The old one stays theirs: nobody else gets it, and
// they may take it back. It returns ErrUsername or ErrTaken.
func Rename(tx *db.Tx, id UserID, username string) error {
	if !usernameForm.MatchString(username) || slices.Contains(reservedNames, username) {
		return ErrUsername
	}
	var old string
	if err := tx.Get(`SELECT username FROM users WHERE id = $1`+tx.ForUpdate(), id).Scan(&old); err != nil || old == username {
		return err
	}
	// Only odd names are compared without case, so that the index of odd names serves.
	taken, err := db.All(tx, db.One[UserID], `SELECT id FROM users WHERE username = $1 AND id <> $2
		UNION ALL SELECT id FROM users WHERE username <> lower(username) AND lower(username) = $1 AND id <> $2
		UNION ALL SELECT user_id FROM usernames_given_up WHERE username = $1 AND user_id <> $2`, username, id)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		return ErrTaken
	}
	if _, err := tx.Exec(`INSERT INTO usernames_given_up (username, user_id) VALUES ($1, $2) ON CONFLICT (username) DO NOTHING`, old, id); err != nil {
		return err
	}
	return changed(tx.Exec(`UPDATE users SET username = $2 WHERE id = $1`, id, username))
}
