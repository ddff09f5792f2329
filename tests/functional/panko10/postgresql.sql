CREATE TABLE public.event (
    id integer NOT NULL,
    message_id character varying(50),
    generated timestamp without time zone,
    raw text,
    event_type_id integer
);
CREATE SEQUENCE public.event_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.event_id_seq OWNED BY public.event.id;
CREATE TABLE public.event_type (
    id integer NOT NULL,
    "desc" character varying(255)
);
CREATE SEQUENCE public.event_type_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.event_type_id_seq OWNED BY public.event_type.id;
CREATE TABLE public.trait_datetime (
    event_id integer NOT NULL,
    key character varying(255) NOT NULL,
    value timestamp without time zone
);
CREATE TABLE public.trait_float (
    event_id integer NOT NULL,
    key character varying(255) NOT NULL,
    value double precision
);
CREATE TABLE public.trait_int (
    event_id integer NOT NULL,
    key character varying(255) NOT NULL,
    value bigint
);
CREATE TABLE public.trait_text (
    event_id integer NOT NULL,
    key character varying(255) NOT NULL,
    value character varying(255)
);
ALTER TABLE ONLY public.event ALTER COLUMN id SET DEFAULT nextval('public.event_id_seq'::regclass);
ALTER TABLE ONLY public.event_type ALTER COLUMN id SET DEFAULT nextval('public.event_type_id_seq'::regclass);
INSERT INTO public.event VALUES (1, 'msg-000', '2015-01-01 12:00:00', '{}', 1);
INSERT INTO public.event VALUES (2, 'msg-001', '2015-01-01 12:00:00.5', '{"n": 1, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (3, 'msg-002', '2015-01-01 12:00:01', '{}', 3);
INSERT INTO public.event VALUES (4, 'msg-003', '2015-01-01 12:00:01', '{"n": 3, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (5, 'msg-004', '2015-01-01 12:00:02', '{}', 1);
INSERT INTO public.event VALUES (6, 'msg-005', '2015-01-01 12:00:02.5', '{"n": 5, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (7, 'msg-006', '2015-01-01 12:00:03', '{}', 3);
INSERT INTO public.event VALUES (8, 'msg-007', '2015-01-01 12:00:03', '{"n": 7, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (9, 'msg-008', '2015-01-01 12:00:04', '{}', 1);
INSERT INTO public.event VALUES (10, 'msg-009', '2015-01-01 12:00:04.5', '{"n": 9, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (11, 'msg-010', '2015-01-01 12:00:05', '{}', 3);
INSERT INTO public.event VALUES (12, 'msg-011', '2015-01-01 12:00:05', '{"n": 11, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (13, 'msg-012', '2015-01-01 12:00:06', '{}', 1);
INSERT INTO public.event VALUES (14, 'msg-013', '2015-01-01 12:00:06.5', '{"n": 13, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (15, 'msg-014', '2015-01-01 12:00:07', '{}', 3);
INSERT INTO public.event VALUES (16, 'msg-015', '2015-01-01 12:00:07', '{"n": 15, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (17, 'msg-016', '2015-01-01 12:00:08', '{}', 1);
INSERT INTO public.event VALUES (18, 'msg-017', '2015-01-01 12:00:08.5', '{"n": 17, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (19, 'msg-018', '2015-01-01 12:00:09', '{}', 3);
INSERT INTO public.event VALUES (20, 'msg-019', '2015-01-01 12:00:09', '{"n": 19, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (21, 'msg-020', '2015-01-01 12:00:10', '{}', 1);
INSERT INTO public.event VALUES (22, 'msg-021', '2015-01-01 12:00:10.5', '{"n": 21, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (23, 'msg-022', '2015-01-01 12:00:11', '{}', 3);
INSERT INTO public.event VALUES (24, 'msg-023', '2015-01-01 12:00:11', '{"n": 23, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (25, 'msg-024', '2015-01-01 12:00:12', '{}', 1);
INSERT INTO public.event VALUES (26, 'msg-025', '2015-01-01 12:00:12.5', '{"n": 25, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (27, 'msg-026', '2015-01-01 12:00:13', '{}', 3);
INSERT INTO public.event VALUES (28, 'msg-027', '2015-01-01 12:00:13', '{"n": 27, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (29, 'msg-028', '2015-01-01 12:00:14', '{}', 1);
INSERT INTO public.event VALUES (30, 'msg-029', '2015-01-01 12:00:14.5', '{"n": 29, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (31, 'msg-030', '2015-01-01 12:00:15', '{}', 3);
INSERT INTO public.event VALUES (32, 'msg-031', '2015-01-01 12:00:15', '{"n": 31, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (33, 'msg-032', '2015-01-01 12:00:16', '{}', 1);
INSERT INTO public.event VALUES (34, 'msg-033', '2015-01-01 12:00:16.5', '{"n": 33, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (35, 'msg-034', '2015-01-01 12:00:17', '{}', 3);
INSERT INTO public.event VALUES (36, 'msg-035', '2015-01-01 12:00:17', '{"n": 35, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (37, 'msg-036', '2015-01-01 12:00:18', '{}', 1);
INSERT INTO public.event VALUES (38, 'msg-037', '2015-01-01 12:00:18.5', '{"n": 37, "nested": {"list": [1, "a", null, true]}}', 2);
INSERT INTO public.event VALUES (39, 'msg-038', '2015-01-01 12:00:19', '{}', 3);
INSERT INTO public.event VALUES (40, 'msg-039', '2015-01-01 12:00:19', '{"n": 39, "nested": {"list": [1, "a", null, true]}}', 4);
INSERT INTO public.event VALUES (41, 'uni-code', '2016-02-29 23:59:59.999999', '{"k": "\u2603"}', 5);
INSERT INTO public.event VALUES (42, 'no-traits', '2016-03-01 00:00:00', '{}', 6);
INSERT INTO public.event VALUES (43, 'slash/id', '2016-03-02 00:00:00', '{}', 7);
INSERT INTO public.event VALUES (44, 'extremes', '1999-12-31 23:59:59', '{}', 8);
INSERT INTO public.event VALUES (45, 'dup', '2016-04-01 00:00:00', '{}', 9);
INSERT INTO public.event VALUES (47, 'nonetype', '2016-05-01 00:00:00', '{}', 11);
INSERT INTO public.event_type VALUES (1, 'compute.instance.create.start');
INSERT INTO public.event_type VALUES (2, 'compute.instance.create.end');
INSERT INTO public.event_type VALUES (3, 'image.update');
INSERT INTO public.event_type VALUES (4, 'port.delete.end');
INSERT INTO public.event_type VALUES (5, 'unicodé.évent');
INSERT INTO public.event_type VALUES (6, 'lonely');
INSERT INTO public.event_type VALUES (7, 'with/slash');
INSERT INTO public.event_type VALUES (8, 'extremes');
INSERT INTO public.event_type VALUES (9, 'first');
INSERT INTO public.event_type VALUES (11, 'nonetype');
INSERT INTO public.trait_datetime VALUES (1, 'launched_at', '2015-01-01 12:00:00');
INSERT INTO public.trait_datetime VALUES (2, 'launched_at', '2015-01-01 13:00:00.001111');
INSERT INTO public.trait_datetime VALUES (3, 'launched_at', '2015-01-01 14:00:00.002222');
INSERT INTO public.trait_datetime VALUES (4, 'launched_at', '2015-01-01 15:00:00.003333');
INSERT INTO public.trait_datetime VALUES (5, 'launched_at', '2015-01-01 16:00:00.004444');
INSERT INTO public.trait_datetime VALUES (6, 'launched_at', '2015-01-01 17:00:00.005555');
INSERT INTO public.trait_datetime VALUES (7, 'launched_at', '2015-01-01 18:00:00.006666');
INSERT INTO public.trait_datetime VALUES (8, 'launched_at', '2015-01-01 19:00:00.007777');
INSERT INTO public.trait_datetime VALUES (9, 'launched_at', '2015-01-01 20:00:00.008888');
INSERT INTO public.trait_datetime VALUES (10, 'launched_at', '2015-01-01 21:00:00.009999');
INSERT INTO public.trait_datetime VALUES (11, 'launched_at', '2015-01-01 22:00:00.01111');
INSERT INTO public.trait_datetime VALUES (12, 'launched_at', '2015-01-01 23:00:00.012221');
INSERT INTO public.trait_datetime VALUES (13, 'launched_at', '2015-01-02 00:00:00.013332');
INSERT INTO public.trait_datetime VALUES (14, 'launched_at', '2015-01-02 01:00:00.014443');
INSERT INTO public.trait_datetime VALUES (15, 'launched_at', '2015-01-02 02:00:00.015554');
INSERT INTO public.trait_datetime VALUES (16, 'launched_at', '2015-01-02 03:00:00.016665');
INSERT INTO public.trait_datetime VALUES (17, 'launched_at', '2015-01-02 04:00:00.017776');
INSERT INTO public.trait_datetime VALUES (18, 'launched_at', '2015-01-02 05:00:00.018887');
INSERT INTO public.trait_datetime VALUES (19, 'launched_at', '2015-01-02 06:00:00.019998');
INSERT INTO public.trait_datetime VALUES (20, 'launched_at', '2015-01-02 07:00:00.021109');
INSERT INTO public.trait_datetime VALUES (21, 'launched_at', '2015-01-02 08:00:00.02222');
INSERT INTO public.trait_datetime VALUES (22, 'launched_at', '2015-01-02 09:00:00.023331');
INSERT INTO public.trait_datetime VALUES (23, 'launched_at', '2015-01-02 10:00:00.024442');
INSERT INTO public.trait_datetime VALUES (24, 'launched_at', '2015-01-02 11:00:00.025553');
INSERT INTO public.trait_datetime VALUES (25, 'launched_at', '2015-01-02 12:00:00.026664');
INSERT INTO public.trait_datetime VALUES (26, 'launched_at', '2015-01-02 13:00:00.027775');
INSERT INTO public.trait_datetime VALUES (27, 'launched_at', '2015-01-02 14:00:00.028886');
INSERT INTO public.trait_datetime VALUES (28, 'launched_at', '2015-01-02 15:00:00.029997');
INSERT INTO public.trait_datetime VALUES (29, 'launched_at', '2015-01-02 16:00:00.031108');
INSERT INTO public.trait_datetime VALUES (30, 'launched_at', '2015-01-02 17:00:00.032219');
INSERT INTO public.trait_datetime VALUES (31, 'launched_at', '2015-01-02 18:00:00.03333');
INSERT INTO public.trait_datetime VALUES (32, 'launched_at', '2015-01-02 19:00:00.034441');
INSERT INTO public.trait_datetime VALUES (33, 'launched_at', '2015-01-02 20:00:00.035552');
INSERT INTO public.trait_datetime VALUES (34, 'launched_at', '2015-01-02 21:00:00.036663');
INSERT INTO public.trait_datetime VALUES (35, 'launched_at', '2015-01-02 22:00:00.037774');
INSERT INTO public.trait_datetime VALUES (36, 'launched_at', '2015-01-02 23:00:00.038885');
INSERT INTO public.trait_datetime VALUES (37, 'launched_at', '2015-01-03 00:00:00.039996');
INSERT INTO public.trait_datetime VALUES (38, 'launched_at', '2015-01-03 01:00:00.041107');
INSERT INTO public.trait_datetime VALUES (39, 'launched_at', '2015-01-03 02:00:00.042218');
INSERT INTO public.trait_datetime VALUES (40, 'launched_at', '2015-01-03 03:00:00.043329');
INSERT INTO public.trait_datetime VALUES (44, 'dt', '2038-01-19 03:14:08');
INSERT INTO public.trait_float VALUES (1, 'ratio', 0);
INSERT INTO public.trait_float VALUES (2, 'ratio', 0.14285714285714285);
INSERT INTO public.trait_float VALUES (3, 'ratio', 0.2857142857142857);
INSERT INTO public.trait_float VALUES (4, 'ratio', 0.42857142857142855);
INSERT INTO public.trait_float VALUES (5, 'ratio', 0.5714285714285714);
INSERT INTO public.trait_float VALUES (6, 'ratio', 0.7142857142857143);
INSERT INTO public.trait_float VALUES (7, 'ratio', 0.8571428571428571);
INSERT INTO public.trait_float VALUES (8, 'ratio', 1);
INSERT INTO public.trait_float VALUES (9, 'ratio', 1.1428571428571428);
INSERT INTO public.trait_float VALUES (10, 'ratio', 1.2857142857142858);
INSERT INTO public.trait_float VALUES (11, 'ratio', 1.4285714285714286);
INSERT INTO public.trait_float VALUES (12, 'ratio', 1.5714285714285714);
INSERT INTO public.trait_float VALUES (13, 'ratio', 1.7142857142857142);
INSERT INTO public.trait_float VALUES (14, 'ratio', 1.8571428571428572);
INSERT INTO public.trait_float VALUES (15, 'ratio', 2);
INSERT INTO public.trait_float VALUES (16, 'ratio', 2.142857142857143);
INSERT INTO public.trait_float VALUES (17, 'ratio', 2.2857142857142856);
INSERT INTO public.trait_float VALUES (18, 'ratio', 2.4285714285714284);
INSERT INTO public.trait_float VALUES (18, 'mixed', 7.5);
INSERT INTO public.trait_float VALUES (19, 'ratio', 2.5714285714285716);
INSERT INTO public.trait_float VALUES (20, 'ratio', 2.7142857142857144);
INSERT INTO public.trait_float VALUES (21, 'ratio', 2.857142857142857);
INSERT INTO public.trait_float VALUES (22, 'ratio', 3);
INSERT INTO public.trait_float VALUES (23, 'ratio', 3.142857142857143);
INSERT INTO public.trait_float VALUES (24, 'ratio', 3.2857142857142856);
INSERT INTO public.trait_float VALUES (25, 'ratio', 3.4285714285714284);
INSERT INTO public.trait_float VALUES (26, 'ratio', 3.5714285714285716);
INSERT INTO public.trait_float VALUES (27, 'ratio', 3.7142857142857144);
INSERT INTO public.trait_float VALUES (28, 'ratio', 3.857142857142857);
INSERT INTO public.trait_float VALUES (29, 'ratio', 4);
INSERT INTO public.trait_float VALUES (30, 'ratio', 4.142857142857143);
INSERT INTO public.trait_float VALUES (31, 'ratio', 4.285714285714286);
INSERT INTO public.trait_float VALUES (32, 'ratio', 4.428571428571429);
INSERT INTO public.trait_float VALUES (33, 'ratio', 4.571428571428571);
INSERT INTO public.trait_float VALUES (34, 'ratio', 4.714285714285714);
INSERT INTO public.trait_float VALUES (35, 'ratio', 4.857142857142857);
INSERT INTO public.trait_float VALUES (36, 'ratio', 5);
INSERT INTO public.trait_float VALUES (37, 'ratio', 5.142857142857143);
INSERT INTO public.trait_float VALUES (38, 'ratio', 5.285714285714286);
INSERT INTO public.trait_float VALUES (39, 'ratio', 5.428571428571429);
INSERT INTO public.trait_float VALUES (39, 'mixed', 7.5);
INSERT INTO public.trait_float VALUES (40, 'ratio', 5.571428571428571);
INSERT INTO public.trait_float VALUES (44, 'fbig', 1e+300);
INSERT INTO public.trait_float VALUES (44, 'fsmall', 1e-300);
INSERT INTO public.trait_float VALUES (44, 'fint', 5);
INSERT INTO public.trait_float VALUES (44, 'fneg', -0.1);
INSERT INTO public.trait_int VALUES (1, 'size', -50);
INSERT INTO public.trait_int VALUES (1, 'big', 1099511627776);
INSERT INTO public.trait_int VALUES (2, 'size', -40);
INSERT INTO public.trait_int VALUES (2, 'big', 1099511627777);
INSERT INTO public.trait_int VALUES (3, 'size', -30);
INSERT INTO public.trait_int VALUES (3, 'big', 1099511627778);
INSERT INTO public.trait_int VALUES (4, 'size', -20);
INSERT INTO public.trait_int VALUES (4, 'big', 1099511627779);
INSERT INTO public.trait_int VALUES (5, 'size', -10);
INSERT INTO public.trait_int VALUES (5, 'big', 1099511627780);
INSERT INTO public.trait_int VALUES (6, 'size', 0);
INSERT INTO public.trait_int VALUES (6, 'big', 1099511627781);
INSERT INTO public.trait_int VALUES (7, 'size', 10);
INSERT INTO public.trait_int VALUES (7, 'big', 1099511627782);
INSERT INTO public.trait_int VALUES (8, 'size', 20);
INSERT INTO public.trait_int VALUES (8, 'big', 1099511627783);
INSERT INTO public.trait_int VALUES (9, 'size', 30);
INSERT INTO public.trait_int VALUES (9, 'big', 1099511627784);
INSERT INTO public.trait_int VALUES (10, 'size', 40);
INSERT INTO public.trait_int VALUES (10, 'big', 1099511627785);
INSERT INTO public.trait_int VALUES (11, 'size', 50);
INSERT INTO public.trait_int VALUES (11, 'big', 1099511627786);
INSERT INTO public.trait_int VALUES (11, 'mixed', 7);
INSERT INTO public.trait_int VALUES (12, 'size', 60);
INSERT INTO public.trait_int VALUES (12, 'big', 1099511627787);
INSERT INTO public.trait_int VALUES (13, 'size', 70);
INSERT INTO public.trait_int VALUES (13, 'big', 1099511627788);
INSERT INTO public.trait_int VALUES (14, 'size', 80);
INSERT INTO public.trait_int VALUES (14, 'big', 1099511627789);
INSERT INTO public.trait_int VALUES (15, 'size', 90);
INSERT INTO public.trait_int VALUES (15, 'big', 1099511627790);
INSERT INTO public.trait_int VALUES (16, 'size', 100);
INSERT INTO public.trait_int VALUES (16, 'big', 1099511627791);
INSERT INTO public.trait_int VALUES (17, 'size', 110);
INSERT INTO public.trait_int VALUES (17, 'big', 1099511627792);
INSERT INTO public.trait_int VALUES (18, 'size', 120);
INSERT INTO public.trait_int VALUES (18, 'big', 1099511627793);
INSERT INTO public.trait_int VALUES (19, 'size', 130);
INSERT INTO public.trait_int VALUES (19, 'big', 1099511627794);
INSERT INTO public.trait_int VALUES (20, 'size', 140);
INSERT INTO public.trait_int VALUES (20, 'big', 1099511627795);
INSERT INTO public.trait_int VALUES (21, 'size', 150);
INSERT INTO public.trait_int VALUES (21, 'big', 1099511627796);
INSERT INTO public.trait_int VALUES (22, 'size', 160);
INSERT INTO public.trait_int VALUES (22, 'big', 1099511627797);
INSERT INTO public.trait_int VALUES (23, 'size', 170);
INSERT INTO public.trait_int VALUES (23, 'big', 1099511627798);
INSERT INTO public.trait_int VALUES (24, 'size', 180);
INSERT INTO public.trait_int VALUES (24, 'big', 1099511627799);
INSERT INTO public.trait_int VALUES (25, 'size', 190);
INSERT INTO public.trait_int VALUES (25, 'big', 1099511627800);
INSERT INTO public.trait_int VALUES (26, 'size', 200);
INSERT INTO public.trait_int VALUES (26, 'big', 1099511627801);
INSERT INTO public.trait_int VALUES (27, 'size', 210);
INSERT INTO public.trait_int VALUES (27, 'big', 1099511627802);
INSERT INTO public.trait_int VALUES (28, 'size', 220);
INSERT INTO public.trait_int VALUES (28, 'big', 1099511627803);
INSERT INTO public.trait_int VALUES (29, 'size', 230);
INSERT INTO public.trait_int VALUES (29, 'big', 1099511627804);
INSERT INTO public.trait_int VALUES (30, 'size', 240);
INSERT INTO public.trait_int VALUES (30, 'big', 1099511627805);
INSERT INTO public.trait_int VALUES (31, 'size', 250);
INSERT INTO public.trait_int VALUES (31, 'big', 1099511627806);
INSERT INTO public.trait_int VALUES (32, 'size', 260);
INSERT INTO public.trait_int VALUES (32, 'big', 1099511627807);
INSERT INTO public.trait_int VALUES (32, 'mixed', 7);
INSERT INTO public.trait_int VALUES (33, 'size', 270);
INSERT INTO public.trait_int VALUES (33, 'big', 1099511627808);
INSERT INTO public.trait_int VALUES (34, 'size', 280);
INSERT INTO public.trait_int VALUES (34, 'big', 1099511627809);
INSERT INTO public.trait_int VALUES (35, 'size', 290);
INSERT INTO public.trait_int VALUES (35, 'big', 1099511627810);
INSERT INTO public.trait_int VALUES (36, 'size', 300);
INSERT INTO public.trait_int VALUES (36, 'big', 1099511627811);
INSERT INTO public.trait_int VALUES (37, 'size', 310);
INSERT INTO public.trait_int VALUES (37, 'big', 1099511627812);
INSERT INTO public.trait_int VALUES (38, 'size', 320);
INSERT INTO public.trait_int VALUES (38, 'big', 1099511627813);
INSERT INTO public.trait_int VALUES (39, 'size', 330);
INSERT INTO public.trait_int VALUES (39, 'big', 1099511627814);
INSERT INTO public.trait_int VALUES (40, 'size', 340);
INSERT INTO public.trait_int VALUES (40, 'big', 1099511627815);
INSERT INTO public.trait_int VALUES (44, 'imax', 9223372036854775807);
INSERT INTO public.trait_int VALUES (44, 'imin', -9223372036854775808);
INSERT INTO public.trait_int VALUES (44, 'zero', 0);
INSERT INTO public.trait_text VALUES (1, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (1, 'request_id', 'req-000');
INSERT INTO public.trait_text VALUES (1, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (1, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (2, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (2, 'request_id', 'req-001');
INSERT INTO public.trait_text VALUES (2, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (2, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (3, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (3, 'request_id', 'req-002');
INSERT INTO public.trait_text VALUES (3, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (3, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (4, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (4, 'request_id', 'req-003');
INSERT INTO public.trait_text VALUES (4, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (4, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (4, 'mixed', 'seven');
INSERT INTO public.trait_text VALUES (5, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (5, 'request_id', 'req-004');
INSERT INTO public.trait_text VALUES (6, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (6, 'request_id', 'req-005');
INSERT INTO public.trait_text VALUES (6, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (6, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (7, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (7, 'request_id', 'req-006');
INSERT INTO public.trait_text VALUES (7, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (7, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (8, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (8, 'request_id', 'req-007');
INSERT INTO public.trait_text VALUES (8, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (8, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (9, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (9, 'request_id', 'req-008');
INSERT INTO public.trait_text VALUES (9, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (9, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (10, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (10, 'request_id', 'req-009');
INSERT INTO public.trait_text VALUES (11, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (11, 'request_id', 'req-010');
INSERT INTO public.trait_text VALUES (11, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (11, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (12, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (12, 'request_id', 'req-011');
INSERT INTO public.trait_text VALUES (12, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (12, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (13, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (13, 'request_id', 'req-012');
INSERT INTO public.trait_text VALUES (13, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (13, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (14, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (14, 'request_id', 'req-013');
INSERT INTO public.trait_text VALUES (14, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (14, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (15, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (15, 'request_id', 'req-014');
INSERT INTO public.trait_text VALUES (16, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (16, 'request_id', 'req-015');
INSERT INTO public.trait_text VALUES (16, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (16, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (17, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (17, 'request_id', 'req-016');
INSERT INTO public.trait_text VALUES (17, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (17, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (18, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (18, 'request_id', 'req-017');
INSERT INTO public.trait_text VALUES (18, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (18, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (19, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (19, 'request_id', 'req-018');
INSERT INTO public.trait_text VALUES (19, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (19, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (20, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (20, 'request_id', 'req-019');
INSERT INTO public.trait_text VALUES (21, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (21, 'request_id', 'req-020');
INSERT INTO public.trait_text VALUES (21, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (21, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (22, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (22, 'request_id', 'req-021');
INSERT INTO public.trait_text VALUES (22, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (22, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (23, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (23, 'request_id', 'req-022');
INSERT INTO public.trait_text VALUES (23, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (23, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (24, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (24, 'request_id', 'req-023');
INSERT INTO public.trait_text VALUES (24, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (24, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (25, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (25, 'request_id', 'req-024');
INSERT INTO public.trait_text VALUES (25, 'mixed', 'seven');
INSERT INTO public.trait_text VALUES (26, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (26, 'request_id', 'req-025');
INSERT INTO public.trait_text VALUES (26, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (26, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (27, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (27, 'request_id', 'req-026');
INSERT INTO public.trait_text VALUES (27, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (27, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (28, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (28, 'request_id', 'req-027');
INSERT INTO public.trait_text VALUES (28, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (28, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (29, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (29, 'request_id', 'req-028');
INSERT INTO public.trait_text VALUES (29, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (29, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (30, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (30, 'request_id', 'req-029');
INSERT INTO public.trait_text VALUES (31, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (31, 'request_id', 'req-030');
INSERT INTO public.trait_text VALUES (31, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (31, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (32, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (32, 'request_id', 'req-031');
INSERT INTO public.trait_text VALUES (32, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (32, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (33, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (33, 'request_id', 'req-032');
INSERT INTO public.trait_text VALUES (33, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (33, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (34, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (34, 'request_id', 'req-033');
INSERT INTO public.trait_text VALUES (34, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (34, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (35, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (35, 'request_id', 'req-034');
INSERT INTO public.trait_text VALUES (36, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (36, 'request_id', 'req-035');
INSERT INTO public.trait_text VALUES (36, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (36, 'user_id', 'user-3');
INSERT INTO public.trait_text VALUES (37, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (37, 'request_id', 'req-036');
INSERT INTO public.trait_text VALUES (37, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (37, 'user_id', 'user-0');
INSERT INTO public.trait_text VALUES (38, 'service', 'host-1');
INSERT INTO public.trait_text VALUES (38, 'request_id', 'req-037');
INSERT INTO public.trait_text VALUES (38, 'project_id', 'proj-1');
INSERT INTO public.trait_text VALUES (38, 'user_id', 'user-1');
INSERT INTO public.trait_text VALUES (39, 'service', 'host-2');
INSERT INTO public.trait_text VALUES (39, 'request_id', 'req-038');
INSERT INTO public.trait_text VALUES (39, 'project_id', 'proj-2');
INSERT INTO public.trait_text VALUES (39, 'user_id', 'user-2');
INSERT INTO public.trait_text VALUES (40, 'service', 'host-0');
INSERT INTO public.trait_text VALUES (40, 'request_id', 'req-039');
INSERT INTO public.trait_text VALUES (41, 'näme', 'välue ☃ <&>"''');
INSERT INTO public.trait_text VALUES (41, 'empty', '');
INSERT INTO public.trait_text VALUES (41, 'project_id', 'proj-0');
INSERT INTO public.trait_text VALUES (43, 'a/b', 'c/d');
INSERT INTO public.trait_text VALUES (44, 'long', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');
INSERT INTO public.trait_text VALUES (45, 'v', 'first');
INSERT INTO public.trait_text VALUES (47, 'none', 'untyped');
SELECT pg_catalog.setval('public.event_id_seq', 47, true);
SELECT pg_catalog.setval('public.event_type_id_seq', 11, true);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_message_id_key UNIQUE (message_id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.event_type
    ADD CONSTRAINT event_type_desc_key UNIQUE ("desc");
ALTER TABLE ONLY public.event_type
    ADD CONSTRAINT event_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trait_datetime
    ADD CONSTRAINT trait_datetime_pkey PRIMARY KEY (event_id, key);
ALTER TABLE ONLY public.trait_float
    ADD CONSTRAINT trait_float_pkey PRIMARY KEY (event_id, key);
ALTER TABLE ONLY public.trait_int
    ADD CONSTRAINT trait_int_pkey PRIMARY KEY (event_id, key);
ALTER TABLE ONLY public.trait_text
    ADD CONSTRAINT trait_text_pkey PRIMARY KEY (event_id, key);
CREATE INDEX ix_event_generated ON public.event USING btree (generated);
CREATE INDEX ix_event_message_id ON public.event USING btree (message_id);
CREATE INDEX ix_event_type_id ON public.event USING btree (event_type_id);
CREATE INDEX ix_trait_datetime_event_id_key ON public.trait_datetime USING btree (event_id, key);
CREATE INDEX ix_trait_float_event_id_key ON public.trait_float USING btree (event_id, key);
CREATE INDEX ix_trait_int_event_id_key ON public.trait_int USING btree (event_id, key);
CREATE INDEX ix_trait_text_event_id_key ON public.trait_text USING btree (event_id, key);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_event_type_id_fkey FOREIGN KEY (event_type_id) REFERENCES public.event_type(id);
ALTER TABLE ONLY public.trait_datetime
    ADD CONSTRAINT trait_datetime_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.event(id);
ALTER TABLE ONLY public.trait_float
    ADD CONSTRAINT trait_float_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.event(id);
ALTER TABLE ONLY public.trait_int
    ADD CONSTRAINT trait_int_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.event(id);
ALTER TABLE ONLY public.trait_text
    ADD CONSTRAINT trait_text_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.event(id);
