package config

import "fmt"

// CheckDatabase says what is wrong with the address of a database that is no setting.
// It does not repeat the address, which may hold a password.
func CheckDatabase(address string) error {
	if err := databaseURL(address); err != nil {
		return fmt.Errorf("not the address of a database: %w", err)
	}
	return nil
}
