#!/bin/sh
# Calls that docs/developing.md bans, and the words that mark unfinished work. Comments and texts between quotes do not
# count as calls. A line that has a reason to be an exception says so: /* lint: allow NAME, because … */
# perl-base is part of every Debian.
git ls-files -co --exclude-standard '*.c' '*.h' | perl -ne '
use strict;
our (%why, $bad);
BEGIN {
    my $bounded = "unbounded: use str_t or snprintf";
    my $parse = "no errors: use str_to_i64 or strtol";
    my $child = "use proc_run";
    my $environment = "not safe with threads: give a child its own environment";
    my $state = "hidden state: use strspn, view_split or the _r form";
    my $memory = "use the x… form of common/base/base.h, which does not return NULL";
    %why = (
        (map { $_ => $bounded } qw(strcpy strcat sprintf vsprintf gets stpcpy alloca)),
        (map { $_ => $parse } qw(atoi atol atoll atof)),
        (map { $_ => $child } qw(system popen)),
        (map { $_ => $environment } qw(setenv unsetenv putenv clearenv)),
        (map { $_ => $state } qw(strtok localtime gmtime ctime asctime rand srand random)),
        (map { $_ => $memory } qw(malloc calloc realloc strdup strndup asprintf vasprintf)),
        signal => "use sigaction",
    );
}
chomp(my $file = $_);
open my $in, "<", $file or next;
my $text = do { local $/; <$in> };
my @lines = split /\n/, $text, -1;
# Comments and texts become blanks, line breaks stay.
(my $code = $text) =~ s{(/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\\n])*\x27)}{(my $t = $1) =~ s/[^\n]/ /g; $t}gse;
my $exempt = $file =~ m{^tests/(unit|fuzz|bench|integration)/|/gen/}; # tests, and programs that only run while building
my $n = 0;
for my $line (split /\n/, $code, -1) {
    my $shown = $lines[$n++];
    print("$file:$n: unfinished: $shown\n"), $bad = 1
        if $shown =~ m{\b(TODO|FIXME|XXX|HACK)\b};
    next if $exempt or $line =~ /^\s*#/;
    while ($line =~ /(?<![\w.>])(\w+)\s*\(/g) {
        my $why = $why{$1} or next;
        next if $1 eq "signal" and $line =~ /SIG_(IGN|DFL)/;
        next if $shown =~ /lint: allow \Q$1\E, because \w/ or $file =~ m{^common/base/base\.[ch]$};
        print "$file:$n: $1: $why\n";
        $bad = 1;
    }
}
END { $? = $bad ? 1 : 0 }'
