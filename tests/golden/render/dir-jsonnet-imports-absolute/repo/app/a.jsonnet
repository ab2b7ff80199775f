importstr "/etc/passwd"
