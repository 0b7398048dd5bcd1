/* A reader driver for tests: passes every call of pcscd on to the driver DRIVER, or fails it while the first byte of
 * the file descriptor in $READER_FAULT_FD is not zero. Compiled by pcscd_bench.py when the bench is asked for faults. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long Word;
typedef long (*Call)(Word, void *, void *, void *, void *, void *);

enum { NO_SUCH_DEVICE = 617 };

static int faulty(void)
{
    const char *number = getenv("READER_FAULT_FD");
    char flag = 0;
    return number && pread(atoi(number), &flag, 1, 0) == 1 && flag;
}

static long pass(const char *name, Word reader, void *a, void *b, void *c, void *d, void *e)
{
    static void *driver;
    Call call;
    if (!driver)
        driver = dlopen(DRIVER, RTLD_NOW);
    if (!driver || !(call = (Call)dlsym(driver, name)))
        return NO_SUCH_DEVICE;
    return call(reader, a, b, c, d, e);
}

/* All arguments of IFD handlers fit a register each but IFDHTransmitToICC's third, a struct of two words by value;
 * the calling convention hands that over in memory, so it is declared as it is. */
typedef struct { Word protocol, length; } Header;

#define PASS(name) \
    long name(Word r, void *a, void *b, void *c, void *d, void *e) \
    { return faulty() ? NO_SUCH_DEVICE : pass(#name, r, a, b, c, d, e); }
#define ALWAYS(name) \
    long name(Word r, void *a, void *b, void *c, void *d, void *e) { return pass(#name, r, a, b, c, d, e); }

ALWAYS(IFDHCreateChannelByName)
ALWAYS(IFDHCreateChannel)
ALWAYS(IFDHCloseChannel)
ALWAYS(IFDHGetCapabilities)
ALWAYS(IFDHSetCapabilities)
PASS(IFDHSetProtocolParameters)
PASS(IFDHPowerICC)
PASS(IFDHICCPresence)

long IFDHTransmitToICC(Word r, Header send, void *tx, Word length, void *rx, void *rx_length, void *receive)
{
    typedef long (*Transmit)(Word, Header, void *, Word, void *, void *, void *);
    static Transmit call;
    if (!call) {
        void *driver = dlopen(DRIVER, RTLD_NOW);
        call = driver ? (Transmit)dlsym(driver, "IFDHTransmitToICC") : 0;
    }
    return faulty() || !call ? NO_SUCH_DEVICE : call(r, send, tx, length, rx, rx_length, receive);
}

long IFDHControl(Word r, Word code, void *tx, Word length, void *rx, Word room, Word *written)
{
    typedef long (*Control)(Word, Word, void *, Word, void *, Word, Word *);
    void *driver = dlopen(DRIVER, RTLD_NOW);
    Control call = driver ? (Control)dlsym(driver, "IFDHControl") : 0;
    return faulty() || !call ? NO_SUCH_DEVICE : call(r, code, tx, length, rx, room, written);
}
