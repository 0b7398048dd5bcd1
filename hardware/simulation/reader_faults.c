/* A reader driver for tests: passes every call of pcscd on to the driver DRIVER, or fails it as the bytes of the file
 * descriptor in $READER_FAULT_FD say. Compiled by pcscd.py when the bench is asked for faults. The bytes:
 * ALL not zero: every call fails; POWER_UPS: how many more power-ups fail; EXCHANGES: how many more exchanges are lost,
 * once AFTER more have passed; EXECUTED not zero: on the way back, the card has done what it was told. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long Word;
typedef long (*Call)(Word, void *, void *, void *, void *, void *);

enum { COMMUNICATION_ERROR = 612, POWER_FAILED = 608, NO_SUCH_DEVICE = 617 };
enum { ALL, POWER_UPS, EXCHANGES, AFTER, EXECUTED };
enum { POWER_UP = 500, RESET = 502 };

static int descriptor(void)
{
    const char *number = getenv("READER_FAULT_FD");
    return number ? atoi(number) : -1;
}

static unsigned char fault(int which)
{
    unsigned char value = 0;
    return pread(descriptor(), &value, 1, which) == 1 ? value : 0;
}

/* Count a fault down; 0 when there is none left. */
static int take(int which)
{
    unsigned char left = fault(which);
    if (!left)
        return 0;
    left--;
    return pwrite(descriptor(), &left, 1, which) == 1;
}

static int faulty(void) { return fault(ALL); }

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
PASS(IFDHICCPresence)

long IFDHPowerICC(Word r, void *action, void *b, void *c, void *d, void *e)
{
    if (faulty())
        return NO_SUCH_DEVICE;
    if ((Word)action != RESET && (Word)action != POWER_UP)
        return pass("IFDHPowerICC", r, action, b, c, d, e);
    return take(POWER_UPS) ? POWER_FAILED : pass("IFDHPowerICC", r, action, b, c, d, e);
}

long IFDHTransmitToICC(Word r, Header send, void *tx, Word length, void *rx, void *rx_length, void *receive)
{
    typedef long (*Transmit)(Word, Header, void *, Word, void *, void *, void *);
    static Transmit call;
    if (!call) {
        void *driver = dlopen(DRIVER, RTLD_NOW);
        call = driver ? (Transmit)dlsym(driver, "IFDHTransmitToICC") : 0;
    }
    if (faulty() || !call)
        return NO_SUCH_DEVICE;
    if (fault(EXCHANGES) && !take(AFTER)) {
        take(EXCHANGES);
        if (fault(EXECUTED))
            call(r, send, tx, length, rx, rx_length, receive);
        *(Word *)rx_length = 0;
        return COMMUNICATION_ERROR;
    }
    return call(r, send, tx, length, rx, rx_length, receive);
}

long IFDHControl(Word r, Word code, void *tx, Word length, void *rx, Word room, Word *written)
{
    typedef long (*Control)(Word, Word, void *, Word, void *, Word, Word *);
    void *driver = dlopen(DRIVER, RTLD_NOW);
    Control call = driver ? (Control)dlsym(driver, "IFDHControl") : 0;
    return faulty() || !call ? NO_SUCH_DEVICE : call(r, code, tx, length, rx, room, written);
}
