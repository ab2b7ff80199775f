#include "common/base/enc.h"
#include "k8s-auth/clouds.h"

enum { TOKEN_SECONDS = 14 * 60, PRESIGN_SECONDS = 60, TRIES = 3, PAUSE_SECONDS = 5 };

static char *presigned(const struct aws *a, const struct sigv4_key *key, const char *cluster)
{
    const char *host = strstr(a->sts, "://");
    host = host ? host + 3 : a->sts;
    struct sigv4_header header = {"x-k8s-aws-id", cluster};
    struct sigv4_request request = {.method = "GET",
                                    .host = host,
                                    .path = "/",
                                    .query = "Action=GetCallerIdentity&Version=2011-06-15",
                                    .headers = &header,
                                    .nheaders = 1,
                                    .region = strcmp(a->region, "aws-global") == 0 ? "us-east-1" : a->region,
                                    .service = "sts",
                                    .at = wall_now()};
    AUTO(free_p) char *query = sigv4_presign(&request, key, PRESIGN_SECONDS, NULL);
    return xasprintf("%s/?%s", a->sts, query);
}

static int once(http_t *io, const struct aws_options *o, char **url, err_t **err)
{
    struct aws a;
    struct sigv4_key key, assumed;
    if (aws_open(io, o->profile, &a, err) < 0)
        return err_again(err);
    int r = aws_credentials(&a, &key, err);
    if (r == 0 && !str_empty(o->role)) {
        r = aws_assume_role(&a, &key, o->role, NULL, NULL, NULL, &assumed, err);
        sigv4_key_dispose(&key);
        key = r == 0 ? assumed : (struct sigv4_key){};
    }
    if (r == 0)
        *url = presigned(&a, &key, str_or_empty(o->cluster));
    sigv4_key_dispose(&key);
    aws_close(&a);
    return r;
}

int aws_token(http_t *io, const struct aws_options *o, struct token *out, err_t **err)
{
    AUTO(free_p) char *url = NULL;
    for (int i = 0; !url; i++) {
        AUTO_ERR failure = NULL;
        int r = once(io, o, &url, &failure);
        bool passing = err_code(failure) == ERR_UNAVAILABLE || err_code(failure) == ERR_INTERNAL ||
                       err_code(failure) == ERR_RESOURCE_EXHAUSTED;
        if (r < 0 && (!passing || i + 1 >= TRIES))
            return err_move(err, TAKE(failure));
        if (r < 0)
            sleep_ns(SECONDS(PAUSE_SECONDS));
    }
    AUTO_STR text = STR_INIT;
    str_puts(&text, "k8s-aws-v1.");
    base64url_encode(url, strlen(url), &text);
    *out = (struct token){str_take(&text), true, {wall_now().ns + SECONDS(TOKEN_SECONDS)}};
    return 0;
}
