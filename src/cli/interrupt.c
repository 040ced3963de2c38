/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Being cut off: SIGINT, SIGTERM and SIGHUP. A command that changes something is not killed by them
 * but told: its loops ask cli_interrupted(), take back the file at hand, and the image is unmounted
 * cleanly. A second signal ends the process as it is; the journal of the image stands for what was
 * in it. The process then dies of the signal that came, so that who waits for it knows.
 *
 * A signal that comes between asking and a call that waits would be lost on that call, which might
 * wait for ever. So once one has come, another (SIGALRM, which only wakes) follows every few
 * milliseconds until the process ends or forgets it.
 *
 * At a prompt SIGINT means the line, not the process: however often it comes it is one.
 */
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
#include "cli/cli.h"

#define WAKE_INTERVAL_US 20000

/* The one state of a process that signals have. */
static volatile sig_atomic_t came, at_prompt;
static bool reported;

/* SIGALRM from now on, or no longer. */
static void wake_every(suseconds_t interval_us)
{
	struct timeval interval = { .tv_usec = interval_us };
	struct itimerval timer = { .it_interval = interval, .it_value = interval };

	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void note(int sig)
{
	if (came && !(at_prompt && sig == SIGINT)) {
		(void)signal(sig, SIG_DFL);
		(void)raise(sig);
	}
	came = sig;
	wake_every(WAKE_INTERVAL_US);
}

static void wake(int sig)
{
	(void)sig;
}

/* Without SA_RESTART: calls that wait end with EINTR. */
static void catch_one(int sig, void (*handler)(int))
{
	struct sigaction act = { .sa_handler = handler };

	(void)sigaction(sig, &act, NULL);
}

void cli_interrupt_catch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	catch_one(SIGALRM, wake);
	for (size_t i = 0; i < array_size(signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			catch_one(signals[i], note);
	(void)signal(SIGPIPE, SIG_IGN); /* who reads our output ends before us: an error there */
}

void cli_interrupt_catch_typed(void)
{
	sigset_t typed;

	cli_interrupt_catch();
	catch_one(SIGINT, note);
	sigemptyset(&typed);
	sigaddset(&typed, SIGINT);
	sigaddset(&typed, SIGALRM);
	(void)sigprocmask(SIG_UNBLOCK, &typed, NULL);
}

bool cli_interrupted(void)
{
	return came != 0;
}

void cli_interrupt_prompt(bool begins)
{
	if (begins && came == SIGINT) {
		came = 0;
		reported = false;
		wake_every(0);
		if (came) /* again, just now */
			wake_every(WAKE_INTERVAL_US);
	}
	at_prompt = begins;
}

bool cli_interrupt_ended_line(void)
{
	return came == SIGINT;
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
