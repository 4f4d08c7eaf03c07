-- Run at every start, one statement a line. 'app' has no SUPER, so read_only holds it (tests rely on that); '%' is Docker's bridge.
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS 'app'@'127.0.0.1' IDENTIFIED BY 'app';
GRANT ALL PRIVILEGES ON `fleet%`.* TO 'app'@'127.0.0.1';
CREATE USER IF NOT EXISTS 'app'@'%' IDENTIFIED BY 'app';
GRANT ALL PRIVILEGES ON `fleet%`.* TO 'app'@'%';
CREATE DATABASE IF NOT EXISTS fleet CHARACTER SET utf8mb4;
