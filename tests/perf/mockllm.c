// An independent server: it knows nothing of olbench and shares no line of code with it. Built and run by servers.py.
// Kept as it came, so that what it says of a client is not ours to bend; the comments below are its own.
// mockllm.c - calibrated mock LLM server (Ollama NDJSON + OpenAI SSE), one thread, epoll.
// gcc -O2 -o mockllm mockllm.c ; taskset -c 1 ./mockllm --port 9101 --spin 1
// Ground truth of every request is kept in memory; GET /_dump?path=F writes it as binary and resets.
//  GET /_set?ttft_us=..&itl_us=..&n=..&pack=..&hdr=..&honor=.. changes the config live (see struct cfg).
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <stdint.h>
#include <unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <ctype.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

typedef uint64_t u64; typedef int64_t i64; typedef uint32_t u32;
static struct cfg { i64 ttft_us, itl_us, n, pack, hdr, honor, spin, port, role, log, close_, pad; } C =
  { 50000, 20000, 64, 1, 2, 0, 1, 9101, 0, 1, 0, 0 };
// hdr: 0 late (with first token), 1 early (at request read), 2 auto: OpenAI early, Ollama late
// pack: tokens per send() in blast mode (itl_us==0)

static inline u64 now(clockid_t c){ struct timespec t; clock_gettime(c,&t); return t.tv_sec*1000000000ull+t.tv_nsec; }
#define MONO() now(CLOCK_MONOTONIC)
#define REAL() now(CLOCK_REALTIME)

// ---- ground truth: record header followed by ntok u64 token send times (mono ns, taken just before send())
struct rec { u64 serial, conn, kind, ntok, t_accept, t_first_read, t_req_read, t_hdr, t_first_pre, t_first_post,
             t_last_pre, t_last_post, t_final_post, real_off, prompt_tokens, ntimes; };
static char *logb; static size_t loglen, logcap; static u64 nrec, serial;
static void logput(const void*p,size_t n){ if(loglen+n>logcap){ logcap=(logcap?logcap*2:1<<26); while(loglen+n>logcap)logcap*=2; logb=realloc(logb,logcap);} memcpy(logb+loglen,p,n); loglen+=n; }

enum { RD, WAIT };
struct conn { int fd, st; u64 id; char*in; size_t il,ic; char*out; size_t ol,op,oc; int want_out, keep, dead;
  struct rec r; u64*tt; size_t ttc; int kind, stream, usage; i64 ntok, k, nreq; u64 due; int hpos; int hdr_sent; char model[64]; };
// kinds: 0 misc, 1 ollama generate, 2 ollama chat, 3 oai completions, 4 oai chat
#define MAXFD 65536
static struct conn *cs[MAXFD]; static int ep; static u64 connseq, sends, chunks_sent, open_conns;

static struct conn *heap[MAXFD]; static int hn;
static void hswap(int a,int b){ struct conn*t=heap[a]; heap[a]=heap[b]; heap[b]=t; heap[a]->hpos=a; heap[b]->hpos=b; }
static void hup(int i){ while(i&&heap[(i-1)/2]->due>heap[i]->due){ hswap(i,(i-1)/2); i=(i-1)/2; } }
static void hdown(int i){ for(;;){ int l=2*i+1,m=i; if(l<hn&&heap[l]->due<heap[m]->due)m=l; if(l+1<hn&&heap[l+1]->due<heap[m]->due)m=l+1; if(m==i)return; hswap(i,m); i=m; } }
static void hpush(struct conn*c){ heap[hn]=c; c->hpos=hn; hup(hn++); }
static void hdel(struct conn*c){ int i=c->hpos; if(i<0)return; c->hpos=-1; hn--; if(i!=hn){ heap[i]=heap[hn]; heap[i]->hpos=i; hup(i); hdown(heap[i]->hpos);} }

static void oput(struct conn*c,const char*p,size_t n){ if(c->op==c->ol)c->op=c->ol=0; if(c->ol+n>c->oc){ c->oc=(c->ol+n)*2+4096; c->out=realloc(c->out,c->oc);} memcpy(c->out+c->ol,p,n); c->ol+=n; }
static void cclose(struct conn*c){ if(c->dead)return; c->dead=1; hdel(c); epoll_ctl(ep,EPOLL_CTL_DEL,c->fd,0); close(c->fd); cs[c->fd]=0; open_conns--; }
static int flush_(struct conn*c){ while(c->op<c->ol){ ssize_t w=send(c->fd,c->out+c->op,c->ol-c->op,MSG_NOSIGNAL); sends++;
    if(w<0){ if(errno==EAGAIN){ if(!c->want_out){ c->want_out=1; struct epoll_event e={EPOLLIN|EPOLLOUT,{.fd=c->fd}}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);} return 0;} cclose(c); return -1; } c->op+=w; }
  if(c->want_out){ c->want_out=0; struct epoll_event e={EPOLLIN,{.fd=c->fd}}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);} return 1; }

static char iso_s[32]; static time_t iso_t=0;
static void iso(char*o){ u64 t=REAL(); time_t s=t/1000000000ull; if(s!=iso_t){ struct tm tm; gmtime_r(&s,&tm); strftime(iso_s,32,"%Y-%m-%dT%H:%M:%S",&tm); iso_t=s; } 
  memcpy(o,iso_s,19); o[19]='.'; u32 ns=t%1000000000ull; for(int i=28;i>=20;i--){ o[i]='0'+ns%10; ns/=10; } o[29]='Z'; o[30]=0; }

static const char*TOK=" word";
static int chunkwrap(char*o,const char*p,int n){ int h=sprintf(o,"%x\r\n",n); memcpy(o+h,p,n); o[h+n]='\r'; o[h+n+1]='\n'; return h+n+2; }
static int tokjson(struct conn*c,char*b,int first){ char t[32];
  switch(c->kind){
  case 1: iso(t); return sprintf(b,"{\"model\":\"%s\",\"created_at\":\"%s\",\"response\":\"%s\",\"done\":false}\n",c->model,t,TOK);
  case 2: iso(t); return sprintf(b,"{\"model\":\"%s\",\"created_at\":\"%s\",\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"done\":false}\n",c->model,t,TOK);
  case 3: return sprintf(b,"data: {\"id\":\"cmpl-%llu\",\"object\":\"text_completion\",\"created\":%ld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"text\":\"%s\",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}],\"usage\":null}\n\n",(unsigned long long)c->r.serial,(long)iso_t,c->model,TOK);
  default: return sprintf(b,"data: {\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion.chunk\",\"created\":%ld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",(unsigned long long)c->r.serial,(long)iso_t,c->model,first?"\"role\":\"assistant\",":"",TOK);
  } }
static void header(struct conn*c){ char b[512]; int n=sprintf(b,"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nX-Mock-Serial: %llu\r\nDate: Sun, 22 Nov 2026 20:46:01 GMT\r\n%sTransfer-Encoding: chunked\r\n\r\n",
   c->kind<=2?"application/x-ndjson":"text/event-stream; charset=utf-8",(unsigned long long)c->r.serial,c->keep?"":"Connection: close\r\n"); oput(c,b,n); c->hdr_sent=1; }
static void final(struct conn*c){ char b[2048],t[32],o[2300]; int n; struct rec*r=&c->r; 
  if(c->kind<=2){ iso(t); n=sprintf(b,"{\"model\":\"%s\",\"created_at\":\"%s\",%s,\"done\":true,\"done_reason\":\"stop\",%s\"total_duration\":%llu,\"load_duration\":1000,\"prompt_eval_count\":%llu,\"prompt_eval_duration\":%llu,\"eval_count\":%lld,\"eval_duration\":%llu}\n",
     c->model,t,c->kind==1?"\"response\":\"\"":"\"message\":{\"role\":\"assistant\",\"content\":\"\"}",c->kind==1?"\"context\":[1,2,3],":"",
     (unsigned long long)(r->t_last_pre-r->t_req_read),(unsigned long long)r->prompt_tokens,(unsigned long long)(r->t_first_pre-r->t_req_read),(long long)c->ntok,(unsigned long long)(r->t_last_pre-r->t_first_pre));
     oput(c,o,chunkwrap(o,b,n)); }
  else { const char*pre=c->kind==3?"cmpl":"chatcmpl"; const char*ob=c->kind==3?"text_completion":"chat.completion.chunk";
     n=sprintf(b,"data: {\"id\":\"%s-%llu\",\"object\":\"%s\",\"created\":%ld,\"model\":\"%s\",\"choices\":[{\"index\":0,%s,\"logprobs\":null,\"finish_reason\":\"length\"}],\"usage\":null}\n\n",pre,(unsigned long long)r->serial,ob,(long)iso_t,c->model,c->kind==3?"\"text\":\"\"":"\"delta\":{}");
     oput(c,o,chunkwrap(o,b,n));
     if(c->usage){ n=sprintf(b,"data: {\"id\":\"%s-%llu\",\"object\":\"%s\",\"created\":%ld,\"model\":\"%s\",\"choices\":[],\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%lld,\"total_tokens\":%llu}}\n\n",pre,(unsigned long long)r->serial,ob,(long)iso_t,c->model,(unsigned long long)r->prompt_tokens,(long long)c->ntok,(unsigned long long)(r->prompt_tokens+c->ntok)); oput(c,o,chunkwrap(o,b,n)); }
     oput(c,o,chunkwrap(o,"data: [DONE]\n\n",14)); }
  oput(c,"0\r\n\r\n",5); }
static void simple(struct conn*c,int code,const char*ct,const char*body,size_t bl){ char h[256]; int n=sprintf(h,"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",code,code==200?"OK":"Not Found",ct,bl,c->keep?"":"Connection: close\r\n"); oput(c,h,n); oput(c,body,bl); }
static void parse_more(struct conn*c);
static void done_req(struct conn*c){ c->st=RD; c->nreq++; hdel(c); if(flush_(c)<0)return; if(!c->keep&&c->op==c->ol){ cclose(c); return; } if(c->il) parse_more(c); }
static void finish(struct conn*c){ struct rec*r=&c->r; if(flush_(c)<0)return; r->t_final_post=MONO(); r->ntok=c->k; 
  if(C.log){ r->ntimes = C.log>1? c->k:0; if(r->ntimes>c->ttc) r->ntimes=0; logput(r,sizeof*r); if(r->ntimes) logput(c->tt,8*r->ntimes); nrec++; } done_req(c); }
static void nonstream(struct conn*c){ size_t tl=strlen(TOK); char*b=malloc(c->ntok*tl+2048); char*p=b; char t[32]; iso(t); struct rec*r=&c->r; u64 nowt=MONO(); r->t_first_pre=r->t_first_post=r->t_last_pre=r->t_last_post=nowt;
  if(c->kind==1) p+=sprintf(p,"{\"model\":\"%s\",\"created_at\":\"%s\",\"response\":\"",c->model,t);
  else if(c->kind==2) p+=sprintf(p,"{\"model\":\"%s\",\"created_at\":\"%s\",\"message\":{\"role\":\"assistant\",\"content\":\"",c->model,t);
  else if(c->kind==3) p+=sprintf(p,"{\"id\":\"cmpl-%llu\",\"object\":\"text_completion\",\"created\":%ld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"finish_reason\":\"length\",\"logprobs\":null,\"text\":\"",(unsigned long long)r->serial,(long)iso_t,c->model);
  else p+=sprintf(p,"{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion\",\"created\":%ld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"finish_reason\":\"length\",\"message\":{\"role\":\"assistant\",\"content\":\"",(unsigned long long)r->serial,(long)iso_t,c->model);
  for(i64 i=0;i<c->ntok;i++){ memcpy(p,TOK,tl); p+=tl; }
  u64 ttf=C.ttft_us*1000,ev=C.itl_us*1000*(c->ntok>1?c->ntok-1:1);
  if(c->kind<=2) p+=sprintf(p,"\"%s,\"done\":true,\"done_reason\":\"stop\",\"total_duration\":%llu,\"load_duration\":1000,\"prompt_eval_count\":%llu,\"prompt_eval_duration\":%llu,\"eval_count\":%lld,\"eval_duration\":%llu}",c->kind==2?"}":"",(unsigned long long)(nowt-r->t_req_read),(unsigned long long)r->prompt_tokens,(unsigned long long)ttf,(long long)c->ntok,(unsigned long long)ev);
  else p+=sprintf(p,"\"%s}],\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%lld,\"total_tokens\":%llu}}",c->kind==4?"}":"",(unsigned long long)r->prompt_tokens,(long long)c->ntok,(unsigned long long)(r->prompt_tokens+c->ntok));
  simple(c,200,"application/json",b,p-b); free(b); c->k=c->ntok; finish(c); }
// one timer tick of a waiting connection
static void tick(struct conn*c){ char b[1024],o[1100]; int n; struct rec*r=&c->r;
  if(!c->stream){ hdel(c); nonstream(c); return; }
  if(C.itl_us==0 && c->k>0){ // blast: fill up to pack tokens, if socket is writable
    if(c->want_out){ hdel(c); return; } }
  int m = C.itl_us==0 ? (int)C.pack : 1; if(c->k==0) m=1; if(m>c->ntok-c->k)m=c->ntok-c->k;
  if(!c->hdr_sent) header(c);
  for(int i=0;i<m;i++){ n=tokjson(c,b,c->k==0); oput(c,o,chunkwrap(o,b,n)); if(c->k+i<(i64)c->ttc) c->tt[c->k+i]=0; }
  u64 t=MONO(); for(int i=0;i<m;i++) if(c->k+i<(i64)c->ttc) c->tt[c->k+i]=t;
  if(c->k==0) r->t_first_pre=t;
  if(flush_(c)<0) return; u64 t2=MONO(); if(c->k==0) r->t_first_post=t2; chunks_sent+=m;
  c->k+=m; r->t_last_pre=t; r->t_last_post=t2;
  if(c->k>=c->ntok){ final(c); finish(c); return; }
  if(C.itl_us==0){ if(c->want_out){ hdel(c); return; } c->due=t2; hdown(c->hpos); }
  else { c->due=r->t_req_read+(C.ttft_us+c->k*C.itl_us)*1000ull; hdown(c->hpos); } }

static const char* jfind(const char*b,size_t n,const char*key){ const char*p=memmem(b,n,key,strlen(key)); if(!p)return 0; p+=strlen(key); while(p<b+n&&(*p==' '||*p==':'||*p=='\n'||*p=='\t'))p++; return p<b+n?p:0; }
static i64 qget(const char*q,const char*k,i64 d){ char kk[64]; int n=sprintf(kk,"%s=",k); const char*p=q; while(p&&(p=strstr(p,kk))){ if(p==q||p[-1]=='?'||p[-1]=='&') return atoll(p+n); p++; } return d; }
static void dump(const char*path){ FILE*f=fopen(path,"wb"); if(!f)return; if(loglen)fwrite(logb,1,loglen,f); fclose(f); loglen=0; nrec=0; }

static void handle(struct conn*c,char*path,const char*body,size_t bl,u64 tr){
  struct rec*r=&c->r; char b[4096]; u64 tf=r->t_first_read,ta=r->t_accept; memset(r,0,sizeof*r); r->t_accept=ta; r->t_first_read=tf; r->t_req_read=tr; r->conn=c->id; r->real_off=REAL()-MONO();
  char*q=strchr(path,'?'); char pq[512]; snprintf(pq,sizeof pq,"%s",path); if(q)*q=0;
  size_t pl=strlen(path); int kind=0;
  #define ENDS(s) (pl>=sizeof(s)-1 && !strcmp(path+pl-(sizeof(s)-1),s))
  if(ENDS("/api/generate"))kind=1; else if(ENDS("/api/chat"))kind=2; else if(ENDS("/chat/completions"))kind=4; else if(ENDS("/completions"))kind=3;
  c->kind=r->kind=kind; c->hdr_sent=0;
  if(!kind){ const char*ct="application/json"; const char*o="{}";
    if(ENDS("/models")) o="{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\",\"max_model_len\":131072}]}";
    else if(ENDS("/api/tags")) o="{\"models\":[{\"name\":\"mock:latest\",\"model\":\"mock:latest\",\"modified_at\":\"2026-01-01T00:00:00Z\",\"size\":815319791,\"digest\":\"8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc\",\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",\"family\":\"gemma3\",\"families\":[\"gemma3\"],\"parameter_size\":\"999.89M\",\"quantization_level\":\"Q4_K_M\"}}]}";
    else if(ENDS("/api/ps")) o="{\"models\":[{\"name\":\"mock:latest\",\"model\":\"mock:latest\",\"size\":1000000000,\"digest\":\"8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc\",\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",\"family\":\"gemma3\",\"families\":[\"gemma3\"],\"parameter_size\":\"999.89M\",\"quantization_level\":\"Q4_K_M\"},\"expires_at\":\"2027-01-01T00:00:00Z\",\"size_vram\":0,\"context_length\":4096}]}";
    else if(ENDS("/api/version")) o="{\"version\":\"0.13.0\"}";
    else if(ENDS("/api/show")) o="{\"modelfile\":\"FROM mock\",\"parameters\":\"\",\"template\":\"{{ .Prompt }}\",\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",\"family\":\"gemma3\",\"families\":[\"gemma3\"],\"parameter_size\":\"999.89M\",\"quantization_level\":\"Q4_K_M\"},\"model_info\":{\"general.architecture\":\"gemma3\",\"general.parameter_count\":999885952,\"gemma3.context_length\":32768},\"capabilities\":[\"completion\"]}";
    else if(ENDS("/api/pull")) o="{\"status\":\"success\"}\n";
    else if(ENDS("/_set")){ C.ttft_us=qget(pq,"ttft_us",C.ttft_us); C.itl_us=qget(pq,"itl_us",C.itl_us); C.n=qget(pq,"n",C.n); C.pack=qget(pq,"pack",C.pack); C.hdr=qget(pq,"hdr",C.hdr); C.honor=qget(pq,"honor",C.honor); C.log=qget(pq,"log",C.log); C.spin=qget(pq,"spin",C.spin); }
    else if(ENDS("/_dump")){ char*p=strstr(pq,"path="); sprintf(b,"{\"nrec\":%llu,\"bytes\":%zu,\"sends\":%llu,\"chunks\":%llu,\"open\":%llu,\"conns\":%llu}",(unsigned long long)nrec,loglen,(unsigned long long)sends,(unsigned long long)chunks_sent,(unsigned long long)open_conns,(unsigned long long)connseq); if(p)dump(p+5); o=b; }
    else if(ENDS("/metrics")) { o="# none\n"; ct="text/plain"; }
    else if(pl<=1) { o="Ollama is running"; ct="text/plain"; }
    simple(c,200,ct,o,strlen(o)); if(getenv("MOCK_VERBOSE")) fprintf(stderr,"misc %s\n",path); done_req(c); return; }
  r->serial=++serial; c->k=0; c->ntok=C.n; const char*p;
  if(C.honor){ if((p=jfind(body,bl,"\"max_completion_tokens\""))||(p=jfind(body,bl,"\"max_tokens\""))||(p=jfind(body,bl,"\"num_predict\""))){ i64 v=atoll(p); if(v>0)c->ntok=v; } }
  c->stream = kind<=2; if((p=jfind(body,bl,"\"stream\""))) c->stream = *p=='t';
  c->usage = (p=jfind(body,bl,"\"include_usage\""))&&*p=='t';
  strcpy(c->model,"mock"); if((p=jfind(body,bl,"\"model\""))&&*p=='"'){ int i=0; p++; while(i<63&&p<body+bl&&*p!='"')c->model[i++]=*p++; c->model[i]=0; }
  r->prompt_tokens=0; if((p=jfind(body,bl,kind==1||kind==3?"\"prompt\"":"\"content\""))&&*p=='"'){ p++; int in=0; while(p<body+bl&&*p!='"'){ if(*p=='\\'){p++;} if(*p==' ')in=0; else if(!in){in=1;r->prompt_tokens++;} p++; } } if(!r->prompt_tokens)r->prompt_tokens=1;
  size_t need=C.log>1?c->ntok:0; if(need>c->ttc){ c->tt=realloc(c->tt,need*8); c->ttc=need; }
  int early = C.hdr==2 ? kind>=3 : C.hdr; if(!c->stream)early=0;
  c->st=WAIT; c->due=tr+C.ttft_us*1000ull; if(!c->stream) c->due+=C.itl_us*1000ull*(c->ntok-1);
  hpush(c);
  if(early){ header(c); if(flush_(c)<0)return; r->t_hdr=MONO(); } }

static void parse_more(struct conn*c){ if(c->st!=RD||c->dead)return; 
  if(c->ic<=c->il){ c->in=realloc(c->in,c->il+1); c->ic=c->il+1; } c->in[c->il]=0;
  char*e=memmem(c->in,c->il,"\r\n\r\n",4); if(!e)return; size_t hl=e-c->in+4; size_t cl=0; int chunked=0; c->keep=1; int expect=0;
  for(char*l=c->in;l<e;){ char*nl=memmem(l,e+2-l,"\r\n",2); if(!nl)break; if(!strncasecmp(l,"content-length:",15))cl=strtoull(l+15,0,10); else if(!strncasecmp(l,"transfer-encoding:",18)&&memmem(l,nl-l,"chunked",7))chunked=1; else if(!strncasecmp(l,"connection:",11)&&(memmem(l,nl-l,"close",5)))c->keep=0; else if(!strncasecmp(l,"expect:",7))expect=1; l=nl+2; }
  if(expect&&c->il==hl){ oput(c,"HTTP/1.1 100 Continue\r\n\r\n",25); flush_(c); }
  size_t used; char*body=c->in+hl; size_t bl;
  if(chunked){ char*p=body,*w=malloc(c->il+1); bl=0; int ok=0; char*end=c->in+c->il; while(p<end){ char*nl=memmem(p,end-p,"\r\n",2); if(!nl)break; size_t n=strtoull(p,0,16); p=nl+2; if((size_t)(end-p)<n+2)break; if(n==0){ p+=2; ok=1; break; } memcpy(w+bl,p,n); bl+=n; p+=n+2; } if(!ok){ free(w); return; } used=p-c->in; u64 tr=MONO(); char path[1024]; char*s=strchr(c->in,' '); int i=0; if(s)for(s++;*s&&*s!=' '&&i<1000;)path[i++]=*s++; path[i]=0; w[bl]=0; memmove(c->in,c->in+used,c->il-used); c->il-=used; handle(c,path,w,bl,tr); free(w); return; }
  if(c->il<hl+cl)return; u64 tr=MONO(); bl=cl; used=hl+cl; char path[1024]; char*s=strchr(c->in,' '); int i=0; if(s)for(s++;*s&&*s!=' '&&i<1000;)path[i++]=*s++; path[i]=0;
  char*bc=malloc(bl+1); memcpy(bc,body,bl); bc[bl]=0; memmove(c->in,c->in+used,c->il-used); c->il-=used; handle(c,path,bc,bl,tr); free(bc); }
static void onread(struct conn*c){ for(;;){ if(c->ic-c->il<65536){ c->ic=c->ic*2+131072; c->in=realloc(c->in,c->ic);} ssize_t n=recv(c->fd,c->in+c->il,c->ic-c->il-1,0);
    if(n<0){ if(errno==EAGAIN)break; cclose(c); return; } if(n==0){ cclose(c); return; } if(c->il==0&&c->st==RD)c->r.t_first_read=MONO(); c->il+=n; if((size_t)n<65536)break; }
  parse_more(c); }
static volatile int stop_; static void onsig(int s){ stop_=1; }
int main(int argc,char**argv){ char*logpath=0;
  for(int i=1;i<argc-1;i+=2){ i64 v=atoll(argv[i+1]); char*a=argv[i];
    if(!strcmp(a,"--port"))C.port=v; else if(!strcmp(a,"--ttft-us"))C.ttft_us=v; else if(!strcmp(a,"--itl-us"))C.itl_us=v; else if(!strcmp(a,"--n"))C.n=v; else if(!strcmp(a,"--pack"))C.pack=v; else if(!strcmp(a,"--hdr"))C.hdr=v; else if(!strcmp(a,"--honor"))C.honor=v; else if(!strcmp(a,"--spin"))C.spin=v; else if(!strcmp(a,"--log"))C.log=v; else if(!strcmp(a,"--logfile"))logpath=argv[i+1]; }
  signal(SIGTERM,onsig); signal(SIGINT,onsig); signal(SIGPIPE,SIG_IGN); prctl(PR_SET_TIMERSLACK,1);
  int ls=socket(AF_INET,SOCK_STREAM|SOCK_NONBLOCK,0),one=1; setsockopt(ls,SOL_SOCKET,SO_REUSEADDR,&one,4); struct sockaddr_in sa={.sin_family=AF_INET,.sin_port=htons(C.port),.sin_addr.s_addr=htonl(INADDR_LOOPBACK)};
  if(bind(ls,(void*)&sa,sizeof sa)||listen(ls,4096)){ perror("bind"); return 1; }
  ep=epoll_create1(0); struct epoll_event e={EPOLLIN,{.fd=ls}}; epoll_ctl(ep,EPOLL_CTL_ADD,ls,&e); struct epoll_event ev[512];
  while(!stop_){ struct timespec ts={0,0},*tp=&ts; u64 t=MONO();
    if(!C.spin){ if(!hn) ts.tv_sec=1; else if(heap[0]->due>t+60000){ u64 d=heap[0]->due-t-60000; ts.tv_sec=d/1000000000ull; ts.tv_nsec=d%1000000000ull; } }
    int n=epoll_pwait2(ep,ev,512,tp,0);
    if(n<0&&errno==ENOSYS) n=epoll_wait(ep,ev,512,0);
    for(int i=0;i<n;i++){ int fd=ev[i].data.fd; if(fd==ls){ for(;;){ int f=accept4(ls,0,0,SOCK_NONBLOCK); if(f<0)break; u64 ta=MONO(); if(f>=MAXFD){close(f);continue;} setsockopt(f,IPPROTO_TCP,TCP_NODELAY,&one,4); struct conn*c=calloc(1,sizeof*c); c->fd=f; c->id=++connseq; c->hpos=-1; c->r.t_accept=ta; cs[f]=c; open_conns++; struct epoll_event x={EPOLLIN,{.fd=f}}; epoll_ctl(ep,EPOLL_CTL_ADD,f,&x); onread(c); if(c->dead){free(c->in);free(c->out);free(c->tt);free(c);} } continue; }
      struct conn*c=cs[fd]; if(!c)continue;
      if(ev[i].events&EPOLLOUT){ int w=flush_(c); if(w==1){ if(c->st==WAIT&&c->hpos<0){ c->due=MONO(); hpush(c); } else if(c->st==RD&&!c->keep)cclose(c); } }
      if(!c->dead&&(ev[i].events&(EPOLLIN|EPOLLHUP|EPOLLERR))) onread(c);
      if(c->dead){ free(c->in);free(c->out);free(c->tt);free(c);} }
    int lim=64; while(hn&&lim-->0){ t=MONO(); struct conn*c=heap[0]; if(c->due>t)break; tick(c); if(c->dead){ free(c->in);free(c->out);free(c->tt);free(c);} } }
  if(logpath)dump(logpath); return 0; }
