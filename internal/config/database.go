package config

import "fmt"

// CheckDatabase checks the address of a database that comes from elsewhere than the
// settings, such as a flag. The error leaves out the address, which may hold a password.
func CheckDatabase(address string) error {
	if err := databaseURL(address); err != nil {
		return fmt.Errorf("not the address of a database: %w", err)
	}
	return nil
}
