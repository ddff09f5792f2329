CREATE TABLE `event` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `message_id` varchar(50) DEFAULT NULL,
  `generated` decimal(20,6) DEFAULT NULL,
  `raw` text DEFAULT NULL,
  `event_type_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `message_id` (`message_id`),
  KEY `ix_event_type_id` (`event_type_id`),
  KEY `ix_event_generated` (`generated`),
  KEY `ix_event_message_id` (`message_id`),
  CONSTRAINT `event_ibfk_1` FOREIGN KEY (`event_type_id`) REFERENCES `event_type` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=48 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `event` VALUES (1,'msg-000',1420113600.000000,'{}',1);
INSERT INTO `event` VALUES (2,'msg-001',1420113600.500000,'{\"n\": 1, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (3,'msg-002',1420113601.000000,'{}',3);
INSERT INTO `event` VALUES (4,'msg-003',1420113601.000000,'{\"n\": 3, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (5,'msg-004',1420113602.000000,'{}',1);
INSERT INTO `event` VALUES (6,'msg-005',1420113602.500000,'{\"n\": 5, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (7,'msg-006',1420113603.000000,'{}',3);
INSERT INTO `event` VALUES (8,'msg-007',1420113603.000000,'{\"n\": 7, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (9,'msg-008',1420113604.000000,'{}',1);
INSERT INTO `event` VALUES (10,'msg-009',1420113604.500000,'{\"n\": 9, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (11,'msg-010',1420113605.000000,'{}',3);
INSERT INTO `event` VALUES (12,'msg-011',1420113605.000000,'{\"n\": 11, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (13,'msg-012',1420113606.000000,'{}',1);
INSERT INTO `event` VALUES (14,'msg-013',1420113606.500000,'{\"n\": 13, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (15,'msg-014',1420113607.000000,'{}',3);
INSERT INTO `event` VALUES (16,'msg-015',1420113607.000000,'{\"n\": 15, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (17,'msg-016',1420113608.000000,'{}',1);
INSERT INTO `event` VALUES (18,'msg-017',1420113608.500000,'{\"n\": 17, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (19,'msg-018',1420113609.000000,'{}',3);
INSERT INTO `event` VALUES (20,'msg-019',1420113609.000000,'{\"n\": 19, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (21,'msg-020',1420113610.000000,'{}',1);
INSERT INTO `event` VALUES (22,'msg-021',1420113610.500000,'{\"n\": 21, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (23,'msg-022',1420113611.000000,'{}',3);
INSERT INTO `event` VALUES (24,'msg-023',1420113611.000000,'{\"n\": 23, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (25,'msg-024',1420113612.000000,'{}',1);
INSERT INTO `event` VALUES (26,'msg-025',1420113612.500000,'{\"n\": 25, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (27,'msg-026',1420113613.000000,'{}',3);
INSERT INTO `event` VALUES (28,'msg-027',1420113613.000000,'{\"n\": 27, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (29,'msg-028',1420113614.000000,'{}',1);
INSERT INTO `event` VALUES (30,'msg-029',1420113614.500000,'{\"n\": 29, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (31,'msg-030',1420113615.000000,'{}',3);
INSERT INTO `event` VALUES (32,'msg-031',1420113615.000000,'{\"n\": 31, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (33,'msg-032',1420113616.000000,'{}',1);
INSERT INTO `event` VALUES (34,'msg-033',1420113616.500000,'{\"n\": 33, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (35,'msg-034',1420113617.000000,'{}',3);
INSERT INTO `event` VALUES (36,'msg-035',1420113617.000000,'{\"n\": 35, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (37,'msg-036',1420113618.000000,'{}',1);
INSERT INTO `event` VALUES (38,'msg-037',1420113618.500000,'{\"n\": 37, \"nested\": {\"list\": [1, \"a\", null, true]}}',2);
INSERT INTO `event` VALUES (39,'msg-038',1420113619.000000,'{}',3);
INSERT INTO `event` VALUES (40,'msg-039',1420113619.000000,'{\"n\": 39, \"nested\": {\"list\": [1, \"a\", null, true]}}',4);
INSERT INTO `event` VALUES (41,'uni-code',1456790399.999999,'{\"k\": \"\\u2603\"}',5);
INSERT INTO `event` VALUES (42,'no-traits',1456790400.000000,'{}',6);
INSERT INTO `event` VALUES (43,'slash/id',1456876800.000000,'{}',7);
INSERT INTO `event` VALUES (44,'extremes',946684799.000000,'{}',8);
INSERT INTO `event` VALUES (45,'dup',1459468800.000000,'{}',9);
INSERT INTO `event` VALUES (47,'nonetype',1462060800.000000,'{}',11);
CREATE TABLE `event_type` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `desc` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `desc` (`desc`)
) ENGINE=InnoDB AUTO_INCREMENT=12 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
INSERT INTO `event_type` VALUES (2,'compute.instance.create.end');
INSERT INTO `event_type` VALUES (1,'compute.instance.create.start');
INSERT INTO `event_type` VALUES (8,'extremes');
INSERT INTO `event_type` VALUES (9,'first');
INSERT INTO `event_type` VALUES (3,'image.update');
INSERT INTO `event_type` VALUES (6,'lonely');
INSERT INTO `event_type` VALUES (11,'nonetype');
INSERT INTO `event_type` VALUES (4,'port.delete.end');
INSERT INTO `event_type` VALUES (5,'unicodé.évent');
INSERT INTO `event_type` VALUES (7,'with/slash');
CREATE TABLE `trait_datetime` (
  `event_id` int(11) NOT NULL,
  `key` varchar(255) NOT NULL,
  `value` decimal(20,6) DEFAULT NULL,
  PRIMARY KEY (`event_id`,`key`),
  KEY `ix_trait_datetime_event_id_key` (`event_id`,`key`),
  CONSTRAINT `trait_datetime_ibfk_1` FOREIGN KEY (`event_id`) REFERENCES `event` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `trait_datetime` VALUES (1,'launched_at',1420113600.000000);
INSERT INTO `trait_datetime` VALUES (2,'launched_at',1420117200.001111);
INSERT INTO `trait_datetime` VALUES (3,'launched_at',1420120800.002222);
INSERT INTO `trait_datetime` VALUES (4,'launched_at',1420124400.003333);
INSERT INTO `trait_datetime` VALUES (5,'launched_at',1420128000.004444);
INSERT INTO `trait_datetime` VALUES (6,'launched_at',1420131600.005555);
INSERT INTO `trait_datetime` VALUES (7,'launched_at',1420135200.006666);
INSERT INTO `trait_datetime` VALUES (8,'launched_at',1420138800.007777);
INSERT INTO `trait_datetime` VALUES (9,'launched_at',1420142400.008888);
INSERT INTO `trait_datetime` VALUES (10,'launched_at',1420146000.009999);
INSERT INTO `trait_datetime` VALUES (11,'launched_at',1420149600.011110);
INSERT INTO `trait_datetime` VALUES (12,'launched_at',1420153200.012221);
INSERT INTO `trait_datetime` VALUES (13,'launched_at',1420156800.013332);
INSERT INTO `trait_datetime` VALUES (14,'launched_at',1420160400.014443);
INSERT INTO `trait_datetime` VALUES (15,'launched_at',1420164000.015554);
INSERT INTO `trait_datetime` VALUES (16,'launched_at',1420167600.016665);
INSERT INTO `trait_datetime` VALUES (17,'launched_at',1420171200.017776);
INSERT INTO `trait_datetime` VALUES (18,'launched_at',1420174800.018887);
INSERT INTO `trait_datetime` VALUES (19,'launched_at',1420178400.019998);
INSERT INTO `trait_datetime` VALUES (20,'launched_at',1420182000.021109);
INSERT INTO `trait_datetime` VALUES (21,'launched_at',1420185600.022220);
INSERT INTO `trait_datetime` VALUES (22,'launched_at',1420189200.023331);
INSERT INTO `trait_datetime` VALUES (23,'launched_at',1420192800.024442);
INSERT INTO `trait_datetime` VALUES (24,'launched_at',1420196400.025553);
INSERT INTO `trait_datetime` VALUES (25,'launched_at',1420200000.026664);
INSERT INTO `trait_datetime` VALUES (26,'launched_at',1420203600.027775);
INSERT INTO `trait_datetime` VALUES (27,'launched_at',1420207200.028886);
INSERT INTO `trait_datetime` VALUES (28,'launched_at',1420210800.029997);
INSERT INTO `trait_datetime` VALUES (29,'launched_at',1420214400.031108);
INSERT INTO `trait_datetime` VALUES (30,'launched_at',1420218000.032219);
INSERT INTO `trait_datetime` VALUES (31,'launched_at',1420221600.033330);
INSERT INTO `trait_datetime` VALUES (32,'launched_at',1420225200.034441);
INSERT INTO `trait_datetime` VALUES (33,'launched_at',1420228800.035552);
INSERT INTO `trait_datetime` VALUES (34,'launched_at',1420232400.036663);
INSERT INTO `trait_datetime` VALUES (35,'launched_at',1420236000.037774);
INSERT INTO `trait_datetime` VALUES (36,'launched_at',1420239600.038885);
INSERT INTO `trait_datetime` VALUES (37,'launched_at',1420243200.039996);
INSERT INTO `trait_datetime` VALUES (38,'launched_at',1420246800.041107);
INSERT INTO `trait_datetime` VALUES (39,'launched_at',1420250400.042218);
INSERT INTO `trait_datetime` VALUES (40,'launched_at',1420254000.043329);
INSERT INTO `trait_datetime` VALUES (44,'dt',2147483648.000000);
CREATE TABLE `trait_float` (
  `event_id` int(11) NOT NULL,
  `key` varchar(255) NOT NULL,
  `value` double DEFAULT NULL,
  PRIMARY KEY (`event_id`,`key`),
  KEY `ix_trait_float_event_id_key` (`event_id`,`key`),
  CONSTRAINT `trait_float_ibfk_1` FOREIGN KEY (`event_id`) REFERENCES `event` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `trait_float` VALUES (1,'ratio',0);
INSERT INTO `trait_float` VALUES (2,'ratio',0.14285714285714285);
INSERT INTO `trait_float` VALUES (3,'ratio',0.2857142857142857);
INSERT INTO `trait_float` VALUES (4,'ratio',0.42857142857142855);
INSERT INTO `trait_float` VALUES (5,'ratio',0.5714285714285714);
INSERT INTO `trait_float` VALUES (6,'ratio',0.7142857142857143);
INSERT INTO `trait_float` VALUES (7,'ratio',0.8571428571428571);
INSERT INTO `trait_float` VALUES (8,'ratio',1);
INSERT INTO `trait_float` VALUES (9,'ratio',1.1428571428571428);
INSERT INTO `trait_float` VALUES (10,'ratio',1.2857142857142858);
INSERT INTO `trait_float` VALUES (11,'ratio',1.4285714285714286);
INSERT INTO `trait_float` VALUES (12,'ratio',1.5714285714285714);
INSERT INTO `trait_float` VALUES (13,'ratio',1.7142857142857142);
INSERT INTO `trait_float` VALUES (14,'ratio',1.8571428571428572);
INSERT INTO `trait_float` VALUES (15,'ratio',2);
INSERT INTO `trait_float` VALUES (16,'ratio',2.142857142857143);
INSERT INTO `trait_float` VALUES (17,'ratio',2.2857142857142856);
INSERT INTO `trait_float` VALUES (18,'mixed',7.5);
INSERT INTO `trait_float` VALUES (18,'ratio',2.4285714285714284);
INSERT INTO `trait_float` VALUES (19,'ratio',2.5714285714285716);
INSERT INTO `trait_float` VALUES (20,'ratio',2.7142857142857144);
INSERT INTO `trait_float` VALUES (21,'ratio',2.857142857142857);
INSERT INTO `trait_float` VALUES (22,'ratio',3);
INSERT INTO `trait_float` VALUES (23,'ratio',3.142857142857143);
INSERT INTO `trait_float` VALUES (24,'ratio',3.2857142857142856);
INSERT INTO `trait_float` VALUES (25,'ratio',3.4285714285714284);
INSERT INTO `trait_float` VALUES (26,'ratio',3.5714285714285716);
INSERT INTO `trait_float` VALUES (27,'ratio',3.7142857142857144);
INSERT INTO `trait_float` VALUES (28,'ratio',3.857142857142857);
INSERT INTO `trait_float` VALUES (29,'ratio',4);
INSERT INTO `trait_float` VALUES (30,'ratio',4.142857142857143);
INSERT INTO `trait_float` VALUES (31,'ratio',4.285714285714286);
INSERT INTO `trait_float` VALUES (32,'ratio',4.428571428571429);
INSERT INTO `trait_float` VALUES (33,'ratio',4.571428571428571);
INSERT INTO `trait_float` VALUES (34,'ratio',4.714285714285714);
INSERT INTO `trait_float` VALUES (35,'ratio',4.857142857142857);
INSERT INTO `trait_float` VALUES (36,'ratio',5);
INSERT INTO `trait_float` VALUES (37,'ratio',5.142857142857143);
INSERT INTO `trait_float` VALUES (38,'ratio',5.285714285714286);
INSERT INTO `trait_float` VALUES (39,'mixed',7.5);
INSERT INTO `trait_float` VALUES (39,'ratio',5.428571428571429);
INSERT INTO `trait_float` VALUES (40,'ratio',5.571428571428571);
INSERT INTO `trait_float` VALUES (44,'fbig',1e300);
INSERT INTO `trait_float` VALUES (44,'fint',5);
INSERT INTO `trait_float` VALUES (44,'fneg',-0.1);
INSERT INTO `trait_float` VALUES (44,'fsmall',1e-300);
CREATE TABLE `trait_int` (
  `event_id` int(11) NOT NULL,
  `key` varchar(255) NOT NULL,
  `value` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`event_id`,`key`),
  KEY `ix_trait_int_event_id_key` (`event_id`,`key`),
  CONSTRAINT `trait_int_ibfk_1` FOREIGN KEY (`event_id`) REFERENCES `event` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `trait_int` VALUES (1,'big',1099511627776);
INSERT INTO `trait_int` VALUES (1,'size',-50);
INSERT INTO `trait_int` VALUES (2,'big',1099511627777);
INSERT INTO `trait_int` VALUES (2,'size',-40);
INSERT INTO `trait_int` VALUES (3,'big',1099511627778);
INSERT INTO `trait_int` VALUES (3,'size',-30);
INSERT INTO `trait_int` VALUES (4,'big',1099511627779);
INSERT INTO `trait_int` VALUES (4,'size',-20);
INSERT INTO `trait_int` VALUES (5,'big',1099511627780);
INSERT INTO `trait_int` VALUES (5,'size',-10);
INSERT INTO `trait_int` VALUES (6,'big',1099511627781);
INSERT INTO `trait_int` VALUES (6,'size',0);
INSERT INTO `trait_int` VALUES (7,'big',1099511627782);
INSERT INTO `trait_int` VALUES (7,'size',10);
INSERT INTO `trait_int` VALUES (8,'big',1099511627783);
INSERT INTO `trait_int` VALUES (8,'size',20);
INSERT INTO `trait_int` VALUES (9,'big',1099511627784);
INSERT INTO `trait_int` VALUES (9,'size',30);
INSERT INTO `trait_int` VALUES (10,'big',1099511627785);
INSERT INTO `trait_int` VALUES (10,'size',40);
INSERT INTO `trait_int` VALUES (11,'big',1099511627786);
INSERT INTO `trait_int` VALUES (11,'mixed',7);
INSERT INTO `trait_int` VALUES (11,'size',50);
INSERT INTO `trait_int` VALUES (12,'big',1099511627787);
INSERT INTO `trait_int` VALUES (12,'size',60);
INSERT INTO `trait_int` VALUES (13,'big',1099511627788);
INSERT INTO `trait_int` VALUES (13,'size',70);
INSERT INTO `trait_int` VALUES (14,'big',1099511627789);
INSERT INTO `trait_int` VALUES (14,'size',80);
INSERT INTO `trait_int` VALUES (15,'big',1099511627790);
INSERT INTO `trait_int` VALUES (15,'size',90);
INSERT INTO `trait_int` VALUES (16,'big',1099511627791);
INSERT INTO `trait_int` VALUES (16,'size',100);
INSERT INTO `trait_int` VALUES (17,'big',1099511627792);
INSERT INTO `trait_int` VALUES (17,'size',110);
INSERT INTO `trait_int` VALUES (18,'big',1099511627793);
INSERT INTO `trait_int` VALUES (18,'size',120);
INSERT INTO `trait_int` VALUES (19,'big',1099511627794);
INSERT INTO `trait_int` VALUES (19,'size',130);
INSERT INTO `trait_int` VALUES (20,'big',1099511627795);
INSERT INTO `trait_int` VALUES (20,'size',140);
INSERT INTO `trait_int` VALUES (21,'big',1099511627796);
INSERT INTO `trait_int` VALUES (21,'size',150);
INSERT INTO `trait_int` VALUES (22,'big',1099511627797);
INSERT INTO `trait_int` VALUES (22,'size',160);
INSERT INTO `trait_int` VALUES (23,'big',1099511627798);
INSERT INTO `trait_int` VALUES (23,'size',170);
INSERT INTO `trait_int` VALUES (24,'big',1099511627799);
INSERT INTO `trait_int` VALUES (24,'size',180);
INSERT INTO `trait_int` VALUES (25,'big',1099511627800);
INSERT INTO `trait_int` VALUES (25,'size',190);
INSERT INTO `trait_int` VALUES (26,'big',1099511627801);
INSERT INTO `trait_int` VALUES (26,'size',200);
INSERT INTO `trait_int` VALUES (27,'big',1099511627802);
INSERT INTO `trait_int` VALUES (27,'size',210);
INSERT INTO `trait_int` VALUES (28,'big',1099511627803);
INSERT INTO `trait_int` VALUES (28,'size',220);
INSERT INTO `trait_int` VALUES (29,'big',1099511627804);
INSERT INTO `trait_int` VALUES (29,'size',230);
INSERT INTO `trait_int` VALUES (30,'big',1099511627805);
INSERT INTO `trait_int` VALUES (30,'size',240);
INSERT INTO `trait_int` VALUES (31,'big',1099511627806);
INSERT INTO `trait_int` VALUES (31,'size',250);
INSERT INTO `trait_int` VALUES (32,'big',1099511627807);
INSERT INTO `trait_int` VALUES (32,'mixed',7);
INSERT INTO `trait_int` VALUES (32,'size',260);
INSERT INTO `trait_int` VALUES (33,'big',1099511627808);
INSERT INTO `trait_int` VALUES (33,'size',270);
INSERT INTO `trait_int` VALUES (34,'big',1099511627809);
INSERT INTO `trait_int` VALUES (34,'size',280);
INSERT INTO `trait_int` VALUES (35,'big',1099511627810);
INSERT INTO `trait_int` VALUES (35,'size',290);
INSERT INTO `trait_int` VALUES (36,'big',1099511627811);
INSERT INTO `trait_int` VALUES (36,'size',300);
INSERT INTO `trait_int` VALUES (37,'big',1099511627812);
INSERT INTO `trait_int` VALUES (37,'size',310);
INSERT INTO `trait_int` VALUES (38,'big',1099511627813);
INSERT INTO `trait_int` VALUES (38,'size',320);
INSERT INTO `trait_int` VALUES (39,'big',1099511627814);
INSERT INTO `trait_int` VALUES (39,'size',330);
INSERT INTO `trait_int` VALUES (40,'big',1099511627815);
INSERT INTO `trait_int` VALUES (40,'size',340);
INSERT INTO `trait_int` VALUES (44,'imax',9223372036854775807);
INSERT INTO `trait_int` VALUES (44,'imin',-9223372036854775808);
INSERT INTO `trait_int` VALUES (44,'zero',0);
CREATE TABLE `trait_text` (
  `event_id` int(11) NOT NULL,
  `key` varchar(255) NOT NULL,
  `value` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`event_id`,`key`),
  KEY `ix_trait_text_event_id_key` (`event_id`,`key`),
  CONSTRAINT `trait_text_ibfk_1` FOREIGN KEY (`event_id`) REFERENCES `event` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `trait_text` VALUES (1,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (1,'request_id','req-000');
INSERT INTO `trait_text` VALUES (1,'service','host-0');
INSERT INTO `trait_text` VALUES (1,'user_id','user-0');
INSERT INTO `trait_text` VALUES (2,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (2,'request_id','req-001');
INSERT INTO `trait_text` VALUES (2,'service','host-1');
INSERT INTO `trait_text` VALUES (2,'user_id','user-1');
INSERT INTO `trait_text` VALUES (3,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (3,'request_id','req-002');
INSERT INTO `trait_text` VALUES (3,'service','host-2');
INSERT INTO `trait_text` VALUES (3,'user_id','user-2');
INSERT INTO `trait_text` VALUES (4,'mixed','seven');
INSERT INTO `trait_text` VALUES (4,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (4,'request_id','req-003');
INSERT INTO `trait_text` VALUES (4,'service','host-0');
INSERT INTO `trait_text` VALUES (4,'user_id','user-3');
INSERT INTO `trait_text` VALUES (5,'request_id','req-004');
INSERT INTO `trait_text` VALUES (5,'service','host-1');
INSERT INTO `trait_text` VALUES (6,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (6,'request_id','req-005');
INSERT INTO `trait_text` VALUES (6,'service','host-2');
INSERT INTO `trait_text` VALUES (6,'user_id','user-1');
INSERT INTO `trait_text` VALUES (7,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (7,'request_id','req-006');
INSERT INTO `trait_text` VALUES (7,'service','host-0');
INSERT INTO `trait_text` VALUES (7,'user_id','user-2');
INSERT INTO `trait_text` VALUES (8,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (8,'request_id','req-007');
INSERT INTO `trait_text` VALUES (8,'service','host-1');
INSERT INTO `trait_text` VALUES (8,'user_id','user-3');
INSERT INTO `trait_text` VALUES (9,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (9,'request_id','req-008');
INSERT INTO `trait_text` VALUES (9,'service','host-2');
INSERT INTO `trait_text` VALUES (9,'user_id','user-0');
INSERT INTO `trait_text` VALUES (10,'request_id','req-009');
INSERT INTO `trait_text` VALUES (10,'service','host-0');
INSERT INTO `trait_text` VALUES (11,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (11,'request_id','req-010');
INSERT INTO `trait_text` VALUES (11,'service','host-1');
INSERT INTO `trait_text` VALUES (11,'user_id','user-2');
INSERT INTO `trait_text` VALUES (12,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (12,'request_id','req-011');
INSERT INTO `trait_text` VALUES (12,'service','host-2');
INSERT INTO `trait_text` VALUES (12,'user_id','user-3');
INSERT INTO `trait_text` VALUES (13,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (13,'request_id','req-012');
INSERT INTO `trait_text` VALUES (13,'service','host-0');
INSERT INTO `trait_text` VALUES (13,'user_id','user-0');
INSERT INTO `trait_text` VALUES (14,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (14,'request_id','req-013');
INSERT INTO `trait_text` VALUES (14,'service','host-1');
INSERT INTO `trait_text` VALUES (14,'user_id','user-1');
INSERT INTO `trait_text` VALUES (15,'request_id','req-014');
INSERT INTO `trait_text` VALUES (15,'service','host-2');
INSERT INTO `trait_text` VALUES (16,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (16,'request_id','req-015');
INSERT INTO `trait_text` VALUES (16,'service','host-0');
INSERT INTO `trait_text` VALUES (16,'user_id','user-3');
INSERT INTO `trait_text` VALUES (17,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (17,'request_id','req-016');
INSERT INTO `trait_text` VALUES (17,'service','host-1');
INSERT INTO `trait_text` VALUES (17,'user_id','user-0');
INSERT INTO `trait_text` VALUES (18,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (18,'request_id','req-017');
INSERT INTO `trait_text` VALUES (18,'service','host-2');
INSERT INTO `trait_text` VALUES (18,'user_id','user-1');
INSERT INTO `trait_text` VALUES (19,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (19,'request_id','req-018');
INSERT INTO `trait_text` VALUES (19,'service','host-0');
INSERT INTO `trait_text` VALUES (19,'user_id','user-2');
INSERT INTO `trait_text` VALUES (20,'request_id','req-019');
INSERT INTO `trait_text` VALUES (20,'service','host-1');
INSERT INTO `trait_text` VALUES (21,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (21,'request_id','req-020');
INSERT INTO `trait_text` VALUES (21,'service','host-2');
INSERT INTO `trait_text` VALUES (21,'user_id','user-0');
INSERT INTO `trait_text` VALUES (22,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (22,'request_id','req-021');
INSERT INTO `trait_text` VALUES (22,'service','host-0');
INSERT INTO `trait_text` VALUES (22,'user_id','user-1');
INSERT INTO `trait_text` VALUES (23,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (23,'request_id','req-022');
INSERT INTO `trait_text` VALUES (23,'service','host-1');
INSERT INTO `trait_text` VALUES (23,'user_id','user-2');
INSERT INTO `trait_text` VALUES (24,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (24,'request_id','req-023');
INSERT INTO `trait_text` VALUES (24,'service','host-2');
INSERT INTO `trait_text` VALUES (24,'user_id','user-3');
INSERT INTO `trait_text` VALUES (25,'mixed','seven');
INSERT INTO `trait_text` VALUES (25,'request_id','req-024');
INSERT INTO `trait_text` VALUES (25,'service','host-0');
INSERT INTO `trait_text` VALUES (26,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (26,'request_id','req-025');
INSERT INTO `trait_text` VALUES (26,'service','host-1');
INSERT INTO `trait_text` VALUES (26,'user_id','user-1');
INSERT INTO `trait_text` VALUES (27,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (27,'request_id','req-026');
INSERT INTO `trait_text` VALUES (27,'service','host-2');
INSERT INTO `trait_text` VALUES (27,'user_id','user-2');
INSERT INTO `trait_text` VALUES (28,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (28,'request_id','req-027');
INSERT INTO `trait_text` VALUES (28,'service','host-0');
INSERT INTO `trait_text` VALUES (28,'user_id','user-3');
INSERT INTO `trait_text` VALUES (29,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (29,'request_id','req-028');
INSERT INTO `trait_text` VALUES (29,'service','host-1');
INSERT INTO `trait_text` VALUES (29,'user_id','user-0');
INSERT INTO `trait_text` VALUES (30,'request_id','req-029');
INSERT INTO `trait_text` VALUES (30,'service','host-2');
INSERT INTO `trait_text` VALUES (31,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (31,'request_id','req-030');
INSERT INTO `trait_text` VALUES (31,'service','host-0');
INSERT INTO `trait_text` VALUES (31,'user_id','user-2');
INSERT INTO `trait_text` VALUES (32,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (32,'request_id','req-031');
INSERT INTO `trait_text` VALUES (32,'service','host-1');
INSERT INTO `trait_text` VALUES (32,'user_id','user-3');
INSERT INTO `trait_text` VALUES (33,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (33,'request_id','req-032');
INSERT INTO `trait_text` VALUES (33,'service','host-2');
INSERT INTO `trait_text` VALUES (33,'user_id','user-0');
INSERT INTO `trait_text` VALUES (34,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (34,'request_id','req-033');
INSERT INTO `trait_text` VALUES (34,'service','host-0');
INSERT INTO `trait_text` VALUES (34,'user_id','user-1');
INSERT INTO `trait_text` VALUES (35,'request_id','req-034');
INSERT INTO `trait_text` VALUES (35,'service','host-1');
INSERT INTO `trait_text` VALUES (36,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (36,'request_id','req-035');
INSERT INTO `trait_text` VALUES (36,'service','host-2');
INSERT INTO `trait_text` VALUES (36,'user_id','user-3');
INSERT INTO `trait_text` VALUES (37,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (37,'request_id','req-036');
INSERT INTO `trait_text` VALUES (37,'service','host-0');
INSERT INTO `trait_text` VALUES (37,'user_id','user-0');
INSERT INTO `trait_text` VALUES (38,'project_id','proj-1');
INSERT INTO `trait_text` VALUES (38,'request_id','req-037');
INSERT INTO `trait_text` VALUES (38,'service','host-1');
INSERT INTO `trait_text` VALUES (38,'user_id','user-1');
INSERT INTO `trait_text` VALUES (39,'project_id','proj-2');
INSERT INTO `trait_text` VALUES (39,'request_id','req-038');
INSERT INTO `trait_text` VALUES (39,'service','host-2');
INSERT INTO `trait_text` VALUES (39,'user_id','user-2');
INSERT INTO `trait_text` VALUES (40,'request_id','req-039');
INSERT INTO `trait_text` VALUES (40,'service','host-0');
INSERT INTO `trait_text` VALUES (41,'empty','');
INSERT INTO `trait_text` VALUES (41,'näme','välue ☃ <&>\"\'');
INSERT INTO `trait_text` VALUES (41,'project_id','proj-0');
INSERT INTO `trait_text` VALUES (43,'a/b','c/d');
INSERT INTO `trait_text` VALUES (44,'long','xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');
INSERT INTO `trait_text` VALUES (45,'v','first');
INSERT INTO `trait_text` VALUES (47,'none','untyped');
