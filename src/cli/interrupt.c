/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Being cut off: SIGINT, SIGTERM and SIGHUP. A command that changes something is not killed by them
 * but told: its loops ask cli_interrupted(), take back the file at hand, and the image is unmounted
 * cleanly. A second signal ends the process as it is; the journal of the image stands for what was
 * in it. The process then dies of the signal that came, so that who waits for it knows.
 */
#include <signal.h>
#include <unistd.h>
#include "cli/cli.h"

/* The one state of a process that signals have. */
static volatile sig_atomic_t came;
static bool reported;

static void note(int sig)
{
	if (came) {
		(void)signal(sig, SIG_DFL);
		(void)raise(sig);
	}
	came = sig;
}

void cli_interrupt_catch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = note }, old; /* calls that wait end with EINTR */

	for (size_t i = 0; i < array_size(signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &act, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* who reads our output ends before us: an error there */
}

bool cli_interrupted(void)
{
	return came != 0;
}

void cli_interrupt_clear(void)
{
	came = 0;
	reported = false;
}

int cli_interrupt_report(void)
{
	if (!reported)
		cli_error("interrupted; what was done until then is there");
	reported = true;
	return CLI_REFUSED;
}

void cli_interrupt_finish(void)
{
	int sig = came;

	if (!sig)
		return;
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}
